"""A row keeps what it says and lies over the same ink, whatever coordinates it is told in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.placing import corners, moved
from edge.row import Digit, Row, Separator

boxes = st.tuples(*[st.integers(-5000, 5000)] * 2, *[st.integers(0, 500)] * 2)
points = st.tuples(*[st.floats(-5000, 5000)] * 2)


@st.composite
def rows(draw):
    digits = draw(st.lists(st.builds(Digit, st.sampled_from("0123456789?"), st.floats(0, 1), boxes), max_size=8))
    marks = draw(st.lists(st.builds(Separator, st.sampled_from(".,:'-"), st.integers(0, 8), boxes), max_size=3))
    text = "".join(digit.text for digit in digits)
    return Row(text, 0.5, tuple(digits), tuple(draw(points) for _ in range(4)), tuple(marks), ((text, -0.5),))


@st.composite
def warps(draw):
    """Turned, enlarged or mirrored, shifted, and seen at an angle: float64 [3, 3], with no pole where rows are."""
    angle, size = draw(st.floats(0, 7)), draw(st.sampled_from([-1, 1])) * draw(st.floats(0.2, 5))
    c, s = size * np.cos(angle), abs(size) * np.sin(angle)
    tilt = draw(st.floats(-5e-5, 5e-5)), draw(st.floats(-5e-5, 5e-5))
    return np.array([[c, -s, draw(st.floats(-900, 900))], [s, c, draw(st.floats(-900, 900))], [*tilt, 1.0]])


def by(matrix):
    def outward(points):
        whole = np.column_stack([points, np.ones(len(points))]) @ matrix.T
        return whole[:, :2] / whole[:, 2:]

    return outward


def all_boxes(row):
    return [one.box for one in (*row.digits, *row.separators)]


@given(rows(), warps())
def test_a_moved_row_says_the_same_and_lies_over_the_same_ink(row, matrix):
    outward = by(matrix)
    there = moved(row, outward)
    assert (there.text, there.confidence, there.alternatives) == (row.text, row.confidence, row.alternatives)
    assert [(one.text, one.confidence) for one in there.digits] == [(one.text, one.confidence) for one in row.digits]
    assert [(one.text, one.after) for one in there.separators] == [(one.text, one.after) for one in row.separators]
    assert np.allclose(there.quad, outward(np.array(row.quad)))
    for before, (x, y, width, height) in zip(all_boxes(row), all_boxes(there), strict=True):
        around = outward(np.array(corners(before)))
        low, high = np.array([x, y]), np.array([x + width, y + height])
        assert (low <= around.min(0) + 1e-6).all() and (around.max(0) <= high + 1e-6).all()
        assert (around.min(0) - low < 1 + 1e-6).all() and (high - around.max(0) < 1 + 1e-6).all()


@given(rows(), st.integers(-4000, 4000), st.integers(-4000, 4000))
def test_a_row_that_is_shifted_by_whole_pixels_keeps_its_boxes_sizes_and_comes_back_as_it_was(row, x, y):
    there = moved(row, lambda points: points + np.array([x, y]))
    assert all_boxes(there) == [(left + x, top + y, *size) for left, top, *size in all_boxes(row)]
    back = moved(there, lambda points: points - np.array([x, y]))
    assert all_boxes(back) == all_boxes(row) and np.allclose(back.quad, row.quad)


@given(rows())
def test_moved_rows_are_plain_data(row):
    there = moved(row, lambda points: 2 * points)
    assert {type(side) for box in all_boxes(there) for side in box} <= {int}
    assert {type(side) for point in there.quad for side in point} == {float}
    hash(there)


def test_corners_come_clockwise_from_the_top_left():
    assert corners((10, 20, 3, 4)) == ((10, 20), (13, 20), (13, 24), (10, 24))
