"""Which lines of a page are rows, and how sure the whole of one has to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.page import all_right, is_likely
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
