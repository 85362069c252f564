"""Which lines of a page are rows, and how sure the whole of one has to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decode import Decoded
from edge.imaging.components import Component
from edge.imaging.ink import Ink
from edge.imaging.lines import Line
from edge.page import ReadLine, all_right, doubted, is_likely, without_parts, without_strays
from edge.row import UNREADABLE, Digit


def row(*sure: float, text: str = "5") -> tuple[Digit, ...]:
    return tuple(Digit(text, one, (10.0 * i, 0.0, 8.0, 20.0)) for i, one in enumerate(sure))


@pytest.mark.parametrize(
    ("digits", "likely"),
    [
        (row(0.31), True),
        (row(0.29), False),
        (row(0.7, 0.7, 0.7), True),
        (row(0.6, 0.6, 0.6), False),
        (row(*[0.9] * 17), True),  # 0.17 of all
        (row(*[0.6] * 17), False),
        (row(), True),
        ((*row(0.5, 0.5), *row(*[0.0] * 9, text=UNREADABLE)), False),  # of two digits, not of eleven
    ],
)
def test_a_long_row_may_be_less_sure_than_a_short_one(digits: tuple[Digit, ...], likely: bool) -> None:
    assert is_likely(digits, 0.3) is likely


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_a_row_whose_digits_are_all_as_sure_as_asked_is_likely(sure: list[float], least: float) -> None:
    assert is_likely(row(*[max(one, least ** (1 / 3) + 1e-9) for one in sure]), least)
    assert not is_likely(row(*[min(one, least ** (1 / 3) - 1e-3) for one in sure if one > 0] * 3), least)


def test_what_cannot_be_read_is_not_counted() -> None:
    assert all_right((*row(0.5, 0.5), *row(0.1, text=UNREADABLE))) == 0.25


@given(st.lists(st.floats(0.3, 1), min_size=1, max_size=12), st.integers(0, 3), st.floats(0.5, 1))
def test_a_doubted_row_is_right_with_a_share_of_its_probability(sure: list[float], unread: int, share: float) -> None:
    nothing = np.zeros((9, 9), np.uint8)
    line = Line([], Ink(nothing, nothing), 0.0, 9.0, 0.0, 9.0, None)
    digits = (*row(*sure), *row(*[0.0] * unread, text=UNREADABLE))
    read = doubted(ReadLine(Decoded(digits, 0.0 if unread else all_right(digits)), line, []), share)
    assert all_right(read.decoded.digits) == pytest.approx(share * all_right(digits))
    assert read.decoded.confidence == pytest.approx(0.0 if unread else share * all_right(digits))
    assert [digit.text for digit in read.decoded.digits] == [digit.text for digit in digits]
    assert all(0 <= digit.confidence <= 1 for digit in read.decoded.digits)


def part(left: int, top: int, inked: range, sure: list[float]) -> ReadLine:
    """A row whose digits stand 30 pixels apart from `left` on, of which those `inked` have strokes."""
    nothing = np.zeros((9, 9), np.uint8)
    strokes = [Component((), left + 30 * i, top, 20, 40, ()) for i in inked]
    digits = tuple(Digit(str(i % 10), one, (left + 30 * i, top, 20, 40)) for i, one in enumerate(sure))
    line = Line(strokes, Ink(nothing, nothing), left, left + 30.0 * len(sure), top, 40.0, None)
    return ReadLine(Decoded(digits, all_right(digits)), line, [])


def test_of_rows_that_are_read_into_each_other_the_one_that_says_more_is_told() -> None:
    whole, end = part(0, 0, range(3), [0.95] * 6), part(90, 20, range(3), [0.95] * 3)
    assert without_strays([whole, end]) == without_strays([end, whole]) == [whole]


def test_a_digit_goes_to_the_row_that_has_its_stroke() -> None:
    first, second = part(0, 0, range(3), [0.95] * 3), part(60, 20, range(1, 5), [0.9] * 5)
    (one, other) = without_strays([first, second])
    assert one == first
    assert [digit.box for digit in other.decoded.digits] == [digit.box for digit in second.decoded.digits[1:]]
    assert other.decoded.confidence == pytest.approx(0.9**4)


def test_rows_that_overlap_where_both_have_strokes_are_both_told() -> None:
    rows = [part(0, 0, range(4), [0.95] * 4), part(5, 30, range(4), [0.95] * 4)]
    assert without_strays(rows) == rows


@st.composite
def parts(draw: st.DrawFn) -> ReadLine:
    sure = draw(st.lists(st.floats(0.3, 1), min_size=1, max_size=6))
    first = draw(st.integers(0, len(sure) - 1))
    inked = range(first, draw(st.integers(first, len(sure) - 1)) + 1)
    return part(draw(st.integers(-60, 120)), draw(st.integers(0, 60)), inked, sure)


@given(st.lists(parts(), max_size=6))
def test_rows_lose_no_digit_that_has_a_stroke_but_where_all_of_the_row_is_told_elsewhere(rows: list[ReadLine]) -> None:
    for one in without_strays(rows):
        (was,) = (row for row in rows if row.line is one.line)
        lost = [digit for digit in was.decoded.digits if digit not in one.decoded.digits]
        assert one.decoded.digits and len(lost) + len(one.decoded.digits) == len(was.decoded.digits)
        strokes = was.line.strokes
        assert all(digit.box[0] > strokes[-1].right or digit.box[0] + 20 < strokes[0].x for digit in lost)
        assert one.decoded.confidence == pytest.approx(all_right(one.decoded.digits))


def told(
    *boxes: tuple[int, int, int, int], sure: float = 0.9, light: bool = False, back: np.ndarray | None = None
) -> ReadLine:
    """A row of digits in these boxes, x, y, width and height, the ink of which fills their left halves."""
    mask = np.zeros((200, 400), np.uint8)
    for x, y, w, h in boxes:
        mask[y : y + h, x : x + w // 2] = 255
    strokes = [Component((), *box) for box in boxes]
    line = Line(strokes, Ink(mask, mask, light), 0.0, 9.0, 0.0, 9.0, back)
    digits = tuple(Digit("5", sure, box) for box in boxes)
    return ReadLine(Decoded(digits, all_right(digits)), line, [])


WHOLE = (100, 100, 40, 60)
LEFT, RIGHT = (102, 104, 10, 40), (124, 104, 14, 30)


@pytest.mark.parametrize(
    ("alone", "row", "is_part"),
    [
        (told(WHOLE), told(LEFT, RIGHT), True),
        (told(WHOLE), told(LEFT), True),
        (told(WHOLE), told((96, 96, 44, 48)), True),  # a little beyond
        (told(WHOLE, sure=0.5), told(LEFT, RIGHT), False),
        (told(WHOLE), told(LEFT, (150, 104, 14, 30)), False),  # not all of it
        (told(WHOLE), told((102, 60, 10, 40)), False),
        (told(WHOLE), told((102, 101, 10, 57)), False),  # as tall: the same, read otherwise
        (told(WHOLE), told(RIGHT), False),  # no ink of the digit's, as of a number that a ring is drawn round
        (told(WHOLE), told(RIGHT, light=True), True),  # its paper
        (told(WHOLE, (150, 100, 40, 60)), told(LEFT, RIGHT), False),  # in a row's digit
        (told(WHOLE), told((2, 4, 10, 40), back=np.array([[1.0, 0, 100], [0, 1, 100]])), True),
        (told(WHOLE), told(LEFT, back=np.array([[1.0, 0, 100], [0, 1, 0]])), False),
    ],
)
def test_what_lies_in_a_digit_that_another_reading_is_sure_of_is_part_of_it(
    alone: ReadLine, row: ReadLine, is_part: bool
) -> None:
    other = told((300, 100, 20, 30), (330, 100, 20, 30))
    assert without_parts([[alone], [row, other]]) == [[alone], [other] if is_part else [row, other]]
    assert without_parts([[row], [], [alone]]) == [[] if is_part else [row], [], [alone]]
    assert without_parts([[row, alone], []]) == [[row, alone], []]
