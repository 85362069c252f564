"""Strokes side by side are a row; rows come top to bottom."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.imaging.components import Component, find_components
from edge.imaging.rows import find_rows, is_edges, straighten, without_blots
from edge.imaging.segments import broken_across


def rows_of(ink):
    return find_rows(find_components((ink > 127).astype(np.uint8) * 255))


def boxes_of(row):
    return [(c.x, c.y, c.w, c.h) for c in row.body]


def stacked(pages, gap):
    """The pages' ink one below the other, each row's ink `gap` pixels from the next one's."""
    inks = [page.ink[page.boxes[:, 1].min() : (page.boxes[:, 1] + page.boxes[:, 3]).max()] for page in pages]
    width = max(ink.shape[1] for ink in inks)
    lines = []
    for ink in inks:
        lines += [np.zeros((gap, width), np.uint8), np.pad(ink, ((0, 0), (0, width - ink.shape[1])))]
    return np.vstack([*lines, np.zeros((gap, width), np.uint8)])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("height", [20, 64])
def test_a_row_of_digits_is_one_row_with_its_digits_left_to_right(seed, height, written):
    page = written("38069021", seed, height)
    (row,) = rows_of(page.ink)
    assert len(row.body) == len(page.text) and row.marks == []
    for stroke, (x, y, w, h) in zip(row.strokes(), page.boxes.tolist(), strict=True):
        assert max(abs(stroke.x - x), abs(stroke.y - y), abs(stroke.w - w), abs(stroke.h - h)) <= 2
    assert row.height == pytest.approx(float(np.median(page.boxes[:, 3])), abs=2)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("gap", [12, 40])
def test_rows_on_one_sheet_are_not_mixed_and_come_top_to_bottom(seed, gap, written):
    pages = [written(text, seed + i) for i, text in enumerate(("38069", "2160830", "906"))]
    rows = rows_of(stacked(pages, gap))
    assert [len(row.body) for row in rows] == [5, 7, 3]
    middles = [np.mean([c.centre[1] for c in row.body]) for row in rows]
    assert middles == sorted(middles)
    for upper, lower in pairwise(rows):
        assert max(c.centre[1] for c in upper.body) < min(c.centre[1] for c in lower.body)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(0, 10**6))
@settings(max_examples=60)
def test_blocks_in_lines_come_out_as_those_lines(counts, seed):
    rng = np.random.default_rng(seed)
    ink = np.zeros((100 * len(counts) + 40, 450), np.uint8)
    truth = []
    for line, count in enumerate(counts):
        x, boxes = 10 + int(rng.integers(0, 60)), []
        for _ in range(count):
            w, h = int(rng.integers(8, 40)), int(rng.integers(48, 62))
            y = 30 + 100 * line + int(rng.integers(0, 8))
            ink[y : y + h, x : x + w] = 255
            boxes.append((x, y, w, h))
            x += w + int(rng.integers(3, 18))
        truth.append(boxes)
    assert [boxes_of(row) for row in rows_of(ink)] == truth


@pytest.mark.parametrize("degrees", [-12, -6, 6, 12])
@pytest.mark.parametrize("seed", range(3))
def test_a_sloping_row_is_one_row_of_that_slope(degrees, seed, written):
    page = written("3806902", seed, margin=120)
    h, w = page.ink.shape
    (level,) = rows_of(page.ink)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), -degrees, 1)
    (row,) = rows_of(cv2.warpAffine(page.ink, turn, (w, h)))
    assert len(row.body) == len(page.text)
    assert np.degrees(row.angle - level.angle) == pytest.approx(degrees, abs=3)
    back = straighten(row)
    assert back is not None
    middles = np.array([c.centre for c in row.strokes()]) @ back[:, :2].T + back[:, 2]
    slope = np.polyfit(middles[:, 0], middles[:, 1], 1)[0]
    assert abs(np.degrees(np.arctan(slope))) < 5
    # The rotation keeps lengths and moves the row to where no coordinate is negative.
    assert back[:, :2] @ back[:, :2].T == pytest.approx(np.eye(2))
    assert middles.min() > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_level_row_is_left_as_it_is(seed, written):
    (row,) = rows_of(written("00800880", seed).ink)
    assert abs(row.angle) < np.radians(5)
    (short,) = rows_of(written("27", seed).ink)
    assert short.angle == 0 and straighten(short) is None


def blocks(*boxes, size=(200, 700)):
    """uint8 [h, w]: filled rectangles x, y, width, height."""
    ink = np.zeros(size, np.uint8)
    for x, y, w, h in boxes:
        ink[y : y + h, x : x + w] = 255
    return ink


def test_a_row_whose_first_digit_is_a_large_one_is_level():
    noughts = [(140 + 60 * i, 90, 40, 40) for i in range(4)]
    (row,) = rows_of(blocks((60, 50, 40, 80), *noughts))
    assert len(row.body) == 5 and row.angle == pytest.approx(0, abs=np.radians(1))
    # Where both edges slope the row does.
    (sloping,) = rows_of(blocks(*((60 + 60 * i, 40 + 6 * i, 40, 60) for i in range(6))))
    assert sloping.angle == pytest.approx(np.arctan(0.1), abs=np.radians(0.5))


@pytest.mark.parametrize("mark", [(175, 94, 8, 8), (175, 92, 6, 16)])
def test_groups_of_digits_parted_by_a_dot_or_a_comma_are_one_row(mark):
    groups = [(x, 50, 30, 50) for x in (60, 95, 215, 250, 285)]  # but for the mark 90 pixels are nearly two digits
    assert [len(row.body) for row in rows_of(blocks(*groups))] == [2, 3]
    (row,) = rows_of(blocks(*groups, mark))
    assert len(row.body) == 5 and len(row.marks) == 1


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param((175, 30, 8, 8), id="above"),
        pytest.param((175, 130, 8, 8), id="far below"),
        pytest.param((175, 96, 2, 2), id="a speck"),
        pytest.param((10, 94, 8, 8), id="beside"),
    ],
)
def test_what_is_no_dot_joins_no_groups(mark):
    groups = [(x, 50, 30, 50) for x in (60, 95, 215, 250, 285)]
    assert sorted(len(row.body) for row in rows_of(blocks(*groups, mark)))[-2:] == [2, 3]


def test_a_dot_joins_no_groups_that_stand_twice_as_far_apart():
    groups = [(x, 50, 30, 50) for x in (60, 95, 260, 295, 330)]
    assert sorted(len(row.body) for row in rows_of(blocks(*groups, (185, 94, 8, 8))))[-2:] == [2, 3]


@given(st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=60)
def test_a_speck_joins_no_row_as_a_digit(size, seed):
    rng = np.random.default_rng(seed)
    ink = np.zeros((140, 420), np.uint8)
    for x in range(40, 340, 50):
        ink[40:100, x : x + 30] = 255
    x, y = int(rng.integers(0, 410)), int(rng.integers(0, 130))
    ink[y : y + size, x : x + size] = 255
    (row,) = rows_of(ink)
    assert len(row.body) == 6 and all(c.h >= 60 for c in row.body)


def test_a_dot_on_the_line_is_a_mark_of_its_row_and_one_far_away_is_not():
    ink = np.zeros((300, 300), np.uint8)
    for x in range(20, 220, 50):
        ink[40:100, x : x + 30] = 255
    ink[94:100, 157:163] = 255
    ink[270:275, 280:285] = 255
    (row,) = rows_of(ink)
    assert [(c.x, c.y) for c in row.marks] == [(157, 94)]
    assert [c.x for c in row.strokes()] == [20, 70, 120, 157, 170]


def test_dirt_alone_is_no_row():
    rng = np.random.default_rng(0)
    ink = np.zeros((200, 200), np.uint8)
    for x, y in rng.integers(0, 195, (40, 2)).tolist():
        ink[y : y + 3, x : x + 3] = 255
    assert all(c.h >= 8 for row in rows_of(ink) for c in row.body)
    assert rows_of(np.zeros((50, 50), np.uint8)) == []


@pytest.mark.parametrize(("heights", "rows"), [(2, 1), (10, 1), (13, 0), (60, 0)])
def test_one_stroke_is_a_row_unless_it_is_longer_than_any_number_written_in_one(heights, rows):
    ink = np.zeros((100, 1000), np.uint8)
    ink[40:54, 60 : 60 + 14 * heights] = 255
    assert len(rows_of(ink)) == rows
    ink[40:54, 20:30] = 255  # a dash beside a digit, however long, stays in its row
    assert len(rows_of(ink)) == 1


def test_rows_that_reach_a_little_into_each_other_stay_apart():
    ink = np.zeros((150, 300), np.uint8)
    for x in (20, 100, 180):
        ink[20:80, x : x + 20] = 255
        ink[70:130, x + 40 : x + 60] = 255
    assert [[c.x for c in row.body] for row in rows_of(ink)] == [[20, 100, 180], [60, 140, 220]]


def test_columns_of_numbers_far_apart_are_rows_of_their_own():
    ink = np.zeros((120, 700), np.uint8)
    for x in (20, 60, 100, 500, 540, 580):
        ink[30:90, x : x + 25] = 255
    assert sorted(len(row.body) for row in rows_of(ink)) == [3, 3]


def bars(tops, heights, gap=30):
    """Upright strokes side by side, at these tops."""
    mask = np.zeros((400, 40 + gap * len(tops)), np.uint8)
    for i, (top, height) in enumerate(zip(tops, heights, strict=True)):
        mask[top : top + height, 20 + i * gap : 26 + i * gap] = 255
    return mask


@pytest.mark.parametrize("broken", [2, 6, 9])
def test_two_rows_of_halves_are_one_broken_row(broken):
    upper, lower = bars([100] * 6, [40] * 6), bars([140 + broken] * 6, [40] * 6)
    assert broken <= broken_across(find_rows(find_components(upper | lower))) <= broken + 4


@pytest.mark.parametrize("between", [14, 30])
def test_two_lines_of_ones_are_not_halves(between):
    upper, lower = bars([100] * 6, [40] * 6), bars([140 + between] * 6, [40] * 6)
    assert broken_across(find_rows(find_components(upper | lower))) == 0
    assert broken_across(find_rows(find_components(upper))) == 0
    assert broken_across([]) == 0


def test_a_comma_as_tall_as_a_small_digit_is_a_mark_of_its_row_and_a_small_digit_elsewhere_is_not():
    row = bars([100] * 4, [60] * 4, gap=50)
    comma, alone = row.copy(), row.copy()
    comma[152:175, 45:50] = 255
    alone[300:323, 45:50] = 255
    (found,) = find_rows(find_components(comma))
    assert len(found.body) == 4 and len(found.marks) == 1
    assert [len(found.body) for found in find_rows(find_components(alone))] == [4, 1]


@pytest.mark.parametrize(
    ("ring", "count", "rows", "marks"), [(True, 2, [1, 2], 0), (True, 1, [1], 1), (False, 2, [1], 2)]
)
def test_two_strokes_in_a_ring_are_a_row_and_what_stands_beside_a_tall_one_is_its_mark(ring, count, rows, marks):
    ink = np.zeros((260, 300), np.uint8)
    if ring:
        cv2.ellipse(ink, (150, 130), (120, 100), 0, 0, 360, 255, 4)
    else:
        cv2.rectangle(ink, (60, 30), (90, 230), 255, cv2.FILLED)
    for x in (120, 160)[:count]:
        ink[100:160, x : x + 12] = 255
    found = rows_of(ink)
    assert sorted(len(row.body) for row in found) == rows
    assert sum(len(row.marks) for row in found) == marks


def test_a_low_flat_digit_that_stands_apart_from_its_row_is_not_lost():
    """Its middle is further off than marks are looked for, and it is lower than digits that tell a row's height."""
    (row,) = rows_of(blocks(*((30 + 80 * i, 40, 60, 67) for i in range(6)), (529, 85, 60, 27)))
    assert len(row.body) == 6 and [(c.x, c.y, c.w, c.h) for c in row.marks] == [(529, 85, 60, 27)]


@given(
    st.lists(
        st.tuples(st.floats(-0.5, 2), st.floats(-0.6, 0.6), st.floats(-1.3, 1.3), st.floats(0.2, 2.5)), max_size=14
    ),
    st.integers(10, 60),
)
@settings(max_examples=400)
def test_a_stroke_as_tall_as_a_digit_is_in_one_row_and_in_no_other(drawn, tall):
    """Whatever stands side by side: how far from the last one, how far off the level, how tall, how wide for that."""
    strokes, x = [], 0
    for gap, lift, taller, wide in drawn:
        h = max(2, round(tall * np.exp(taller)))
        w = max(2, round(wide * h))
        x = max(0, x + round(gap * tall))
        strokes.append(Component((), x, round(300 + lift * tall), w, h))
        x += w
    rows = find_rows(strokes, least=8)
    found = [id(c) for row in rows for c in row.body + row.marks]
    assert len(found) == len(set(found))
    assert all(id(c) in found for c in strokes if c.h >= 8)


def row_with(*others):
    """A row of rings and bars by a pen of 5 pixels, with what else is drawn into it."""
    mask = np.zeros((140, 800), np.uint8)
    for i in range(5):
        cv2.circle(mask, (60 + 110 * i, 70), 30, 255, 5)
        cv2.line(mask, (115 + 110 * i, 40), (115 + 110 * i, 100), 255, 5)
    for x, width in others:
        cv2.rectangle(mask, (x, 38), (x + width, 102), 255, cv2.FILLED)
    (row,) = find_rows(find_components(mask))
    return row


def test_what_a_much_broader_pen_drew_is_left_out_of_a_row():
    assert len(row_with((590, 40)).body) == 11
    assert len(without_blots(row_with((590, 40))).body) == 10


def test_rings_and_bars_of_one_pen_all_stay_in_their_row():
    assert len(without_blots(row_with()).body) == 10
    assert len(without_blots(row_with((600, 6))).body) == 11


@pytest.mark.parametrize(
    ("outline", "edges"),
    [
        ([(20, 40), (180, 40), (180, 70)], True),  # a sheet's corner
        ([(20, 40), (180, 44), (178, 70), (24, 64)], True),
        ([(20, 20), (50, 20), (48, 90), (22, 90)], False),  # taller than broad: a one
        ([(20, 20), (40, 20), (40, 80), (140, 80), (140, 20), (160, 20), (160, 99), (20, 99)], False),  # ones, joined
    ],
)
def test_a_row_of_broad_strokes_without_bays_is_edges(outline, edges):
    ink = np.zeros((120, 400), np.uint8)
    cv2.fillPoly(ink, [np.array(outline)], 255)
    (row,) = rows_of(ink)
    assert is_edges(row) is edges
    beside = row.right + 30
    cv2.line(ink, (beside, 30), (beside, 80), 255, 6)
    (row,) = rows_of(ink)
    assert len(row.body) == 2 and not is_edges(row)


@pytest.mark.parametrize("seed", range(12))
def test_digits_joined_by_broad_pens_are_no_edge(seed, written):
    ink = (written("1171", seed).ink > 127).astype(np.uint8) * 255
    while len(find_components(ink)) > 1:
        ink = cv2.dilate(ink, np.ones((3, 3), np.uint8))
    (row,) = rows_of(ink)
    assert row.body[0].w > row.body[0].h and not is_edges(row)


def test_a_page_of_thousands_of_strokes_is_made_rows_of():
    bars = [Component((), x * 20, y * 24, 5, 16) for y in range(75) for x in range(120)]
    assert [len(row.body) for row in find_rows(bars)] == [120] * 75
