"""Rows read off by the sequence model alone: where its digits stand, and when it must not be trusted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.direct import places, read_off, shared
from edge.imaging.components import Component
from edge.sequence import BLANK, best_path, log_likelihood

SPELLING = (BLANK, *"0123456789")
STEP = 10.0  # pixels of a step in these tests


def stroke(x, y, w, h):
    corners = np.array([[[x, y]], [[x + w - 1, y]], [[x + w - 1, y + h - 1]], [[x, y + h - 1]]], np.int32)
    return Component((corners,), x, y, w, h)


def steps_of(text, share=0.99):
    """float32 [T, 11]: a digit at every fourth step, from the third on; blank between."""
    wanted = [0, 0]
    for digit in text:
        wanted += [SPELLING.index(digit), 0, 0, 0]
    probabilities = np.full((len(wanted), 11), (1 - share) / 10)
    probabilities[np.arange(len(wanted)), wanted] = share
    return np.log(probabilities).astype(np.float32)


def read(text, strokes, share=0.999):
    steps = steps_of(text, share)
    columns = STEP * np.arange(len(steps) + 1)
    spelt = best_path(steps)
    return read_off(spelt.labels, log_likelihood(steps, spelt.labels), steps, SPELLING, columns, strokes, 50.0)


STROKES = [stroke(10, 20, 30, 50), stroke(50, 22, 30, 50), stroke(92, 18, 26, 50)]  # round 25, 65 and 105


def test_each_digit_has_the_box_of_its_stroke():
    decoded = read("407", STROKES)
    assert decoded is not None
    assert [(d.text, d.box) for d in decoded.digits] == [
        ("4", (10, 20, 30, 50)),
        ("0", (50, 22, 30, 50)),
        ("7", (92, 18, 26, 50)),
    ]
    assert np.prod([digit.confidence for digit in decoded.digits]) == pytest.approx(decoded.confidence)


def test_a_surer_text_is_a_surer_row():
    confidences = [read("407", STROKES, share).confidence for share in (0.98, 0.99, 0.999)]
    assert confidences == sorted(confidences) and confidences[0] < confidences[2] <= 1


@pytest.mark.parametrize(
    "letter", [stroke(75, 20, 22, 50), stroke(130, 20, 5, 50), stroke(0, 20, 6, 40), stroke(75, 40, 20, 30)]
)
def test_a_stroke_as_large_as_a_digit_that_is_none_is_not_passed_over(letter):
    strokes = [STROKES[0], stroke(55, 22, 18, 50), stroke(99, 18, 14, 50), letter]
    assert read("407", strokes) is None


def test_marks_are_passed_over_and_are_no_part_of_a_digit_far_from_them():
    dot = stroke(84, 66, 5, 5)
    assert [d.box for d in read("407", [*STROKES, dot]).digits] == [(s.x, s.y, s.w, s.h) for s in STROKES]


def test_specks_however_many_are_passed_over():
    """They tell nothing of how tall a digit is."""
    specks = [stroke(4 + 9 * i, 40, 3, 4) for i in range(12)] + [stroke(75, 40, 8, 14)]
    decoded = read("407", [*STROKES, *specks])
    assert decoded is not None
    assert [digit.box[3] for digit in decoded.digits] == [50, 50, 50]


def test_strokes_of_a_broken_digit_share_a_box_and_digits_that_touch_part_theirs():
    bar, body, both = stroke(20, 10, 22, 6), stroke(12, 22, 26, 48), stroke(50, 20, 70, 50)
    one, two, three = places([25.0, 65.0, 105.0], [bar, body, both], 50.0)
    assert one == (12, 10, 30, 60)
    assert two == (50, 20, 35, 50) and three == (85, 20, 35, 50)


@given(
    st.lists(st.floats(0, 400), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.tuples(*[st.integers(0, 300)] * 2, *[st.integers(1, 90)] * 2), min_size=1, max_size=8),
)
def test_every_digit_has_a_place_with_room_in_it(middles, boxes):
    found = places(middles, [stroke(*box) for box in boxes], 30.0)
    assert len(found) == len(middles)
    assert all(w >= 1 and h >= 1 for _, _, w, h in found)


@given(st.floats(1e-6, 1 - 1e-6), st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_doubt_is_shared_out_whole_and_falls_to_the_least_sure(confidence, sure):
    shares = shared(confidence, sure)
    assert np.prod(shares) == pytest.approx(confidence)
    assert sure[int(np.argmin(shares))] <= min(sure) + 1e-5
