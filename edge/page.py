"""A picture's lines as they were read: which of them are rows of digits, and which of several readings is the best."""

import math
from dataclasses import dataclass, replace

import numpy as np

from edge.arrays import F32
from edge.decode import Decoded
from edge.imaging.lines import Line
from edge.row import UNREADABLE, Digit

_ALONE = 0.9  # of a digit that a row of one counts less in the choice between two readings of a picture
# Digits of a row that has to be as sure as any; with `_LIT` of edge.imaging.ink, of 1,400 pictures of `python -m
# benchmarks.choice` 1105 for 1098 are read, sheets' long rows most, that were taken for scribbles.
_USUAL = 3
_LEAST_ROW = 0.02  # what `is_likely` asks of a row that is no scribble


@dataclass(frozen=True)
class ReadLine:
    """A line with its reading. looks: float32 [T, K] each, how the row model saw it; none without one."""

    decoded: Decoded
    line: Line
    looks: list[F32]


def without_strays(rows: list[ReadLine]) -> list[ReadLine]:
    """The rows of digits among them, less letters, scribbles and dirt."""
    rows = [row for row in rows if _is_row(row.decoded.digits)]
    tall = float(np.median([row.line.height for row in rows if len(row.decoded.digits) > 1] or [0.0]))
    return [row for row in rows if not _is_stray(row.decoded, row.line.height, tall)]


def doubted(row: ReadLine, share: float) -> ReadLine:
    """The row, right with `share` of the probability that it had; its digits doubted alike."""
    read = max(len(row.decoded.digits) - _unread(row.decoded.digits), 1)
    digits = tuple(replace(digit, confidence=digit.confidence * share ** (1 / read)) for digit in row.decoded.digits)
    return replace(row, decoded=replace(row.decoded, digits=digits, confidence=row.decoded.confidence * share))


def sureness(rows: list[ReadLine]) -> float:
    """By which of several readings of a picture, dark ink or light, the best is chosen: the digits that can be expected
    to stand in rows read rightly, less those that cannot be read. Dirt is read as ones, by the dozen: digits on their
    own count little.
    """
    read = [row.decoded.digits for row in rows]
    return sum(all_right(digits) * (len(digits) - 2 * _unread(digits) - _ALONE) for digits in read)


def shows_a_row(page: list[ReadLine], least: float) -> bool:
    """Whether one of its rows, of two digits or more, is right with a probability of `least`."""
    return any(len(row.decoded.digits) > 1 and all_right(row.decoded.digits) >= least for row in page)


def may_stand_beside(height: float, tall: float) -> bool:
    """Whether a digit on its own, `height` pixels high, may be one beside rows of digits `tall` pixels high."""
    return 0.6 * tall <= height <= 1.6 * tall


def is_likely(digits: tuple[Digit, ...], least: float) -> bool:
    """Whether what was read of a row is right with a probability of `least`, as of `_USUAL` digits; of more, each of
    which leaves a little doubt, less is asked.
    """
    return all_right(digits) >= math.pow(least, max(1.0, (len(digits) - _unread(digits)) / _USUAL))


def all_right(digits: tuple[Digit, ...]) -> float:
    """Probability that what was read of a row is right, whatever the unreadable digits are."""
    return math.prod(digit.confidence for digit in digits if digit.text != UNREADABLE)


def _is_row(digits: tuple[Digit, ...]) -> bool:
    """Whether what was read is a row of digits and no line of letters or a scribble."""
    read = len(digits) - _unread(digits)
    return read > 0 and read * 2 >= len(digits) and is_likely(digits, _LEAST_ROW)


def _is_stray(decoded: Decoded, height: float, tall: float) -> bool:
    """Whether a digit on its own, beside rows of digits `tall` pixels high, is more likely dirt: edges read as ones."""
    alone = len(decoded.digits) == 1 and tall > 0
    return alone and not (decoded.confidence >= 0.9 and may_stand_beside(height, tall))


def _unread(digits: tuple[Digit, ...]) -> int:
    return sum(digit.text == UNREADABLE for digit in digits)
