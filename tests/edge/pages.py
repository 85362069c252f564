"""What tests of the reader share: the texts of the pages it reads, and what holds for all it returns."""

import re

from edge.row import UNREADABLE

SEEDS = range(20)
TEXTS = [("408", "1937", "26590", "384061", "71728395")[seed % 5] for seed in SEEDS]


def texts_of(rows):
    return [row.text for row in rows]


def assert_valid(rows, shape):
    height, width = shape[:2]
    for row in rows:
        assert row.text == "".join(digit.text for digit in row.digits)
        assert re.fullmatch(r"[0-9?]+", row.text) and set(row.text) != {UNREADABLE}
        assert 0 <= row.confidence <= 1
        for digit in row.digits:
            assert 0 <= digit.confidence <= 1
            assert (digit.confidence == 0) == (digit.text == UNREADABLE)
            x, y, w, h = digit.box
            assert all(type(value) is int for value in digit.box)
            assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= width and y + h <= height
        assert len(row.quad) == 4
        assert all(0 <= x <= width and 0 <= y <= height for x, y in row.quad)
