"""A picture's lines: as many as are looked at in bounded time, and of too many the right ones."""

import numpy as np
import pytest

from edge.imaging.ink import Ink
from edge.imaging.lines import find_lines

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
