"""A picture's lines: as many as are looked at in bounded time, and of too many the right ones."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.imaging.ink import Ink
from edge.imaging.lines import Line, Look, find_lines, lattice, united

ROOMY = 1e9


def bars(rows: int, columns: int, tall: int, apart: int) -> np.ndarray:
    """uint8 mask: rows of upright bars, each `tall` pixels high."""
    mask = np.zeros((rows * apart, columns * 20), np.uint8)
    for row in range(rows):
        top = row * apart + (apart - tall) // 2
        for column in range(columns):
            mask[top : top + tall, column * 20 + 8 : column * 20 + 12] = 255
    return mask


def ink_of(mask: np.ndarray) -> Ink:
    return Ink(mask, mask)


def test_a_sheet_with_room_for_all_its_rows_keeps_them_all_from_top_to_bottom():
    lines = find_lines(ink_of(bars(12, 10, 16, 40)), ROOMY)
    assert len(lines) == 12
    assert [line.top for line in lines] == sorted(line.top for line in lines)


@pytest.mark.parametrize("room", [700, 1000, 3000])
def test_the_strips_of_a_dense_page_take_no_more_than_the_room_they_are_given(room):
    mask = bars(30, 20, 16, 24)
    lines = find_lines(ink_of(mask), room)
    assert 0 < sum(line.strip().shape[1] for line in lines) <= room
    assert len(lines) < len(find_lines(ink_of(mask), ROOMY))


def test_a_corner_beside_rows_is_no_line_but_all_there_is_may_be_a_digit():
    corner = np.zeros((60, 400), np.uint8)
    cv2.fillPoly(corner, [np.array([(300, 10), (399, 10), (399, 40)])], 255)
    assert len(find_lines(ink_of(corner), ROOMY)) == 1
    (line,) = find_lines(ink_of(np.vstack([bars(1, 20, 24, 60), corner])), ROOMY)
    assert len(line.strokes) == 20


def test_of_a_dense_page_the_tallest_rows_are_kept():
    small, large = bars(20, 20, 14, 24), bars(1, 20, 40, 80)
    page = np.vstack([small, large, small])
    (line,) = find_lines(ink_of(page), 400)
    assert line.height == 40


def test_of_a_dense_page_rows_are_kept_before_single_strokes_however_tall_those_are():
    page = np.vstack([bars(4, 20, 14, 40), np.zeros((60, 400), np.uint8), bars(1, 20, 60, 120)])
    page[-120:, 12:] = 0  # of the last row one stroke is left
    lines = find_lines(ink_of(page), ROOMY)
    assert sorted(len(line.strokes) for line in lines) == [1, 20, 20, 20, 20]
    room = sum(line.width for line in lines) - 1
    assert sorted(len(line.strokes) for line in find_lines(ink_of(page), room)) == [20, 20, 20, 20]


def test_a_line_tells_how_wide_its_strip_is():
    for line in find_lines(ink_of(bars(3, 7, 25, 60)), ROOMY):
        assert line.width == line.strip().shape[1]


def sheared(mask: np.ndarray, lean: float) -> np.ndarray:
    middle = mask.shape[0] / 2
    place = np.array([[1, -lean, lean * middle], [0, 1, 0]])
    return np.where(cv2.warpAffine(mask, place, mask.shape[::-1]) > 127, np.uint8(255), np.uint8(0))


@pytest.mark.parametrize("lean", [-0.3, 0.3])
def test_a_look_that_leans_makes_strokes_upright_that_lean_the_other_way(lean):
    upright = np.pad(bars(1, 12, 40, 80), ((0, 0), (60, 60)))
    (found,) = find_lines(ink_of(sheared(upright, -lean)), ROOMY)
    seen = found.strip(Look(lean=lean))
    columns = seen.astype(float).mean(0)
    leaning = found.strip().astype(float).mean(0)
    assert columns.std() > 1.4 * leaning.std()  # upright bars leave paper between them


def test_a_look_shows_digits_that_it_takes_for_smaller_larger():
    (line,) = find_lines(ink_of(bars(1, 12, 40, 80)), ROOMY)

    def bar(strip):
        tall = (strip > 127).any(1).sum()
        edges = np.flatnonzero(np.diff((strip[strip.shape[0] // 2] > 127).astype(int)) == 1)
        return tall, np.diff(edges).mean()

    tall, apart = bar(line.strip())
    tall_zoomed, apart_zoomed = bar(line.strip(Look(zoom=0.8)))
    tall_broad, apart_broad = bar(line.strip(Look(wide=0.8)))
    assert tall_zoomed == pytest.approx(tall / 0.8, abs=1.5) and apart_zoomed == pytest.approx(apart / 0.8, rel=0.05)
    assert tall_broad == tall and apart_broad == pytest.approx(apart / 0.8, rel=0.05)


def test_a_row_that_nearly_fills_the_picture_is_looked_at_to_its_edges():
    tight = np.pad(bars(1, 5, 40, 80), ((0, 0), (100, 90)))
    (line,) = find_lines(ink_of(tight), ROOMY)
    # A strip shows a digit's height of paper beside it, here up to the edges.
    assert line.left - line.height <= 0 and line.right + line.height >= tight.shape[1]
    roomy = np.pad(bars(1, 5, 40, 80), ((0, 0), (300, 290)))
    (line,) = find_lines(ink_of(roomy), ROOMY)
    assert (line.left, line.right) == (308, 392)


def test_a_look_that_is_lifted_shows_the_row_lower():
    (line,) = find_lines(ink_of(bars(1, 12, 40, 80)), ROOMY)
    measured, lifted = (np.flatnonzero((line.strip(look) > 127).any(1)) for look in (Look(), Look(lift=0.2)))
    assert lifted[0] - measured[0] == pytest.approx(0.2 * (measured[-1] - measured[0] + 1), abs=1)


def halves(slope: float = 0.0, lower: int = 0, taller: int = 0) -> list[Line]:
    """Two lines of five bars, 30 high and far apart; the second so many pixels lower, its bars so much taller."""
    mask = np.zeros((240, 700), np.uint8)
    for x in [*range(40, 140, 20), *range(400, 500, 20)]:
        there = x >= 400
        top = 60 + round(slope * x) + lower * there
        mask[top : top + 30 + taller * there, x : x + 5] = 255
    return sorted(find_lines(ink_of(mask), ROOMY), key=lambda line: line.strokes[0].x)


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_two_lines_that_one_is_looked_at_across_are_one(slope):
    one, other = halves(slope)
    assert united(one, other) is None  # neither reaches the other
    far = 8 * one.height
    whole = united(replace(one, right=one.right + 10 * one.height), other)
    assert whole is not None and len(whole.strokes) == 10
    middles = [stroke.centre for stroke in whole.strokes]
    assert [x for x, _ in middles] == sorted(x for x, _ in middles)
    assert max(y for _, y in middles) - min(y for _, y in middles) <= 3
    assert whole.right - whole.left > far and whole.left == one.left and whole.height == one.height
    strokes = whole.level_strokes()
    assert cv2.countNonZero(strokes[: int(whole.top + 40)]) > 0.95 * cv2.countNonZero(one.ink.mask)


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_a_lines_own_strokes_are_level_as_the_whole_pictures_would_be(slope):
    for line in halves(slope):
        whole, strokes = line.ink.strokes(), line.level_strokes()
        if line.back is not None:
            turned = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
            whole = cv2.warpAffine(whole, line.back, strokes.shape[::-1], flags=turned)
        left, top = min(s.x for s in line.strokes), min(s.y for s in line.strokes)
        off = cv2.absdiff(whole[top : strokes.shape[0], left : strokes.shape[1]], strokes[top:, left:])
        # Places are rounded to a 32th of a pixel, from other corners.
        assert off.max() <= 255 // 16 and not strokes[:top].any() and not strokes[:, :left].any()


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.booleans())
def test_all_strokes_of_two_lines_that_are_one_lie_in_its_pixels(slope, steeper, first):
    """Also where the line that is looked at is the right one, and where only one of them is level."""
    mask = np.zeros((240, 660), np.uint8)
    for x in [*range(0, 100, 20), *range(400, 500, 20)]:
        top = round(100 + slope * 250 + (slope if x < 200 else steeper) * (x - 250))
        mask[top : top + 30, x : x + 5] = 255
    lines = sorted(find_lines(ink_of(mask), ROOMY), key=lambda line: line.ends[0, 0])
    assume(len(lines) == 2)
    one, other = lines if first else lines[::-1]
    whole = united(replace(one, left=one.left - 500, right=one.right + 500), other)
    assume(whole is not None)
    height, width = whole.level_strokes().shape
    for stroke in whole.strokes:
        assert stroke.x >= 0 and stroke.y >= 0 and stroke.right <= width and stroke.bottom <= height
    _, inks = lattice(whole)
    assert all(ink.any() for ink in inks)
    assert np.allclose(whole.ends[:, 0], [one.ends[0, 0] - 500, one.ends[1, 0] + 500], atol=20)


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_lines_too_far_apart_for_what_may_stand_between_them_are_two(slope):
    one, other = halves(slope)
    apart = float(np.linalg.norm(other.ends[0] - one.ends[1]))
    assert apart == pytest.approx(np.hypot(1, slope) * (400 - 125), abs=8)
    assert united(one, other, apart - 12) is None and united(one, other, apart + 12) is not None
    assert united(other, one, apart + 12) is None  # what goes on stands to the right


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_a_lines_ends_are_told_in_the_pictures_pixels(slope):
    for line, left, right in zip(halves(slope), (40, 400), (125, 485), strict=True):
        for (x, y), end in zip(line.ends, (left, right), strict=True):
            assert x == pytest.approx(end, abs=12) and y == pytest.approx(60 + slope * end + 15, abs=3)


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_lines_meet_where_strokes_of_one_lie_in_the_other(slope):
    """As the two halves of a row, of which the longer line has both, and the two parts of another that overlap."""
    one, other = halves(slope)
    assert not one.meets(other) and not other.meets(one)
    whole = united(one, other, 20 * one.height)
    parts = [
        replace(whole, strokes=part, left=part[0].x, right=part[-1].right) for part in (one.strokes, whole.strokes[4:])
    ]
    for line in (one, other):
        assert line.meets(whole) and whole.meets(line)
    assert parts[0].meets(parts[1]) and not parts[1].holds(parts[0])
    first, second = whole.strokes[:2]
    between = replace(first, x=first.right + 2, w=4)
    speck = replace(whole, strokes=[between], left=between.x, right=between.right)
    assert between.right < second.x and speck.meets(whole) and whole.meets(speck)


def test_a_speck_is_no_part_of_any_candidate():
    """However many of them a ruled line left between the digits, and beside each."""
    mask = np.pad(bars(1, 6, 40, 80), 100)
    (clean,) = find_lines(ink_of(mask), ROOMY)
    dirty = mask.copy()
    for x in range(104, 220, 10):
        dirty[150:152, x : x + 2] = 255
    (line,) = find_lines(ink_of(dirty), ROOMY)
    assert len(line.strokes) > len(clean.strokes)
    boxes = [[candidate.box for candidate in lattice(each)[0]] for each in (clean, line)]
    assert boxes[0] == boxes[1]


@pytest.mark.parametrize(("lower", "taller"), [(16, 0), (-16, 0), (-15, 30)])
def test_what_stands_off_its_level_or_is_of_another_height_is_none_of_a_line(lower, taller):
    one, other = halves(0.0, lower, taller)
    assert united(replace(one, right=one.right + 10 * one.height), other) is None


@pytest.mark.parametrize("angle", [0.0, 30.0, -80.0])
def test_the_spread_of_a_part_of_a_line_is_that_of_its_ink_there(angle):
    strength = np.zeros((200, 200), np.uint8)
    strength[95:105, 120:124] = 200
    turned = cv2.getRotationMatrix2D((100, 100), angle, 1)
    strength = cv2.warpAffine(strength, turned, (200, 200), flags=cv2.INTER_NEAREST)
    back = None if angle == 0 else turned
    line = Line([], Ink(strength, strength), 20.0, 180.0, 90.0, 20.0, back)
    assert line.spread(30, 80) == line.spread(300, 400) == line.spread(-400, -300) == 0
    assert line.spread(100, 140) > 10
    if angle == 0:
        assert line.spread(100, 140) == pytest.approx(strength[90:110, 100:140].std())


@pytest.mark.parametrize(
    ("broad", "hollow", "on_plate"), [(8, 0, False), (18, 0, True), (18, 12, False), (18, 3, True)]
)
@pytest.mark.parametrize("angle", [0.0, 4.0])
def test_a_line_is_on_a_plate_where_a_stroke_is_too_broad_and_solid_for_a_digit(broad, hollow, on_plate, angle):
    """hollow: how broad the paper in the middle of the broad stroke is."""
    mask = np.zeros((180, 420), np.uint8)
    for x in range(60, 360, 40):
        mask[70:110, x : x + 8] = 255
    mask[70:110, 180 : 180 + broad] = 255
    mask[74:106, 183 : 183 + hollow] = 0
    mask = cv2.warpAffine(mask, cv2.getRotationMatrix2D((210, 90), angle, 1), (420, 180), flags=cv2.INTER_NEAREST)
    (line,) = find_lines(ink_of(mask), ROOMY)
    assert len(line.strokes) == 8 and line.is_on_plate is on_plate
