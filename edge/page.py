"""A picture's lines as they were read: which of them are rows of digits, and which of several readings is the best."""

import math
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from edge.arrays import F32, F64
from edge.decode import Decoded
from edge.imaging.lines import Line
from edge.row import UNREADABLE, Digit

_ALONE = 0.9  # of a digit that a row of one counts less in the choice between two readings of a picture
# Confidence of a digit on its own from which what lies in it, and is of no more than so much of its height, is part of
# it, and how far, of the same, that may reach beyond it. Of 1,000 digits by MNIST's validation writers, each alone in a
# picture, 961 are read, 915 without: a four was read as two ones, the paper in a nought as another.
_SURE_ALONE, _PART, _SOFT = 0.6, 0.8, 0.1
# Digits of a row that has to be as sure as any; with `_LIT` of edge.imaging.ink, of 1,400 pictures of `python -m
# benchmarks.choice` 1105 for 1098 are read, sheets' long rows most, that were taken for scribbles.
_USUAL = 3
_LEAST_ROW = 0.02  # what `is_likely` asks of a row that is no scribble
# Share of a digit read beyond its row's strokes that lies in another row's, where both are the same; and share of a
# row's digits that are the same as another's where it is told twice. Of 300 drawn rows that step down half-way, by 0.4
# to 0.7 of their height, 46 were.
_SAME_DIGIT, _SAME_ROW = 0.15, 0.5


@dataclass(frozen=True)
class ReadLine:
    """A line with its reading. looks: float32 [T, K] each, how the row model saw it; none without one."""

    decoded: Decoded
    line: Line
    looks: list[F32]


def without_strays(rows: list[ReadLine]) -> list[ReadLine]:
    """The rows of digits among them, each once, less letters, scribbles and dirt."""
    rows = _once([row for row in rows if _is_row(row.decoded.digits)])
    tall = median([row.line.height for row in rows if len(row.decoded.digits) > 1] or [0.0])
    return [row for row in rows if not _is_stray(row.decoded, row.line.height, tall)]


def without_parts(pages: list[list[ReadLine]]) -> list[list[ReadLine]]:
    """Several readings of one picture, less rows that lie in a digit which another finds alone, and is sure of: its
    own pen strokes, or the paper between them.
    """
    alone = [
        [row for row in page if len(row.decoded.digits) == 1 and row.decoded.confidence >= _SURE_ALONE]
        for page in pages
    ]
    if not any(alone):
        return pages
    return [
        [row for row in page if not any(_is_part(row, one) for k in range(len(pages)) if k != i for one in alone[k])]
        for i, page in enumerate(pages)
    ]


def _is_part(row: ReadLine, whole: ReadLine) -> bool:
    """Whether a digit is taller than a row and holds it: its ink, not a number that it is drawn round; or its paper."""
    boxes, box = _Places.of(row).boxes, _Places.of(whole).boxes[0]
    height = box[3] - box[1]
    soft = _SOFT * height
    low = (boxes[:, 3] - boxes[:, 1]).max() <= _PART * height
    if not (low and (boxes[:, :2] >= box[:2] - soft).all() and (boxes[:, 2:] <= box[2:] + soft).all()):
        return False
    ink = whole.line.ink
    x, y = np.maximum(boxes[:, :2].min(0), 0).astype(int).tolist()
    right, bottom = np.ceil(boxes[:, 2:].max(0)).astype(int).tolist()
    return row.line.ink.is_light != ink.is_light or bool(ink.mask[y:bottom, x:right].any())


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
    return sum(_expected(row.decoded.digits) for row in rows)


def _expected(digits: tuple[Digit, ...]) -> float:
    return all_right(digits) * (len(digits) - 2 * _unread(digits) - _ALONE)


def shows_a_row(page: list[ReadLine], least: float, digits: int = 2) -> bool:
    """Whether one of its rows, of so many digits or more, is right with a probability of `least`."""
    return any(len(row.decoded.digits) >= digits and all_right(row.decoded.digits) >= least for row in page)


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


def _once(rows: list[ReadLine]) -> list[ReadLine]:
    """The rows; of those that tell the same digits, as two parts of one row do that were each followed into the other,
    the one that most can be expected of. Where few of their digits are the same, the one with strokes there has them.
    """
    if len(rows) < 2:
        return rows
    rows, places = list(rows), [_Places.of(row) for row in rows]
    left, top = np.array([place.boxes[:, :2].min(0) for place in places]).T
    right, bottom = np.array([place.boxes[:, 2:].max(0) for place in places]).T
    kept: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: -_expected(rows[i].decoded.digits)):
        meets = (left[kept] < right[i]) & (right[kept] > left[i]) & (top[kept] < bottom[i]) & (bottom[kept] > top[i])
        near = np.array(kept, int)[meets].tolist()
        same = {k: _same(places[i], places[k]) for k in near}
        if any(max(own.mean(), others.mean()) >= _SAME_ROW for own, others in same.values()):
            continue
        gone = np.zeros(len(places[i].beyond), bool)
        for k, (own, others) in same.items():
            gone |= own
            rows[k], places[k] = _without(rows[k], places[k], others & places[k].beyond)
        rows[i], places[i] = _without(rows[i], places[i], gone & places[i].beyond)
        kept = [k for k in (*kept, i) if rows[k].decoded.digits]
    return [rows[i] for i in sorted(kept)]


@dataclass(frozen=True)
class _Places:
    """Of a row's digits: float64 [n, 4], left, top, right and bottom in the picture's pixels; bool [n], which stand
    beyond all strokes that were found of the row.
    """

    boxes: F64
    beyond: np.ndarray

    @classmethod
    def of(cls, row: ReadLine) -> "_Places":
        boxes = np.array([digit.box for digit in row.decoded.digits], np.float64)
        middles, half = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:] / 2
        first, last = min(s.x for s in row.line.strokes), max(s.right for s in row.line.strokes)
        beyond = (middles[:, 0] < first) | (middles[:, 0] > last)
        if row.line.back is not None:
            middles = middles @ row.line.back[:, :2].T + row.line.back[:, 2]
        return cls(np.hstack([middles - half, middles + half]), beyond)


def _same(one: _Places, other: _Places) -> tuple[np.ndarray, np.ndarray]:
    """bool [n], [m]: which of either row's digits are the other's, too."""
    near = np.maximum(one.boxes[:, None, :2], other.boxes[:, :2])
    common = np.clip(np.minimum(one.boxes[:, None, 2:], other.boxes[:, 2:]) - near, 0, None).prod(2)
    sizes = [(place.boxes[:, 2:] - place.boxes[:, :2]).prod(1) for place in (one, other)]
    same = common > _SAME_DIGIT * np.minimum(sizes[0][:, None], sizes[1])
    same &= one.beyond[:, None] != other.beyond
    return same.any(1), same.any(0)


def _without(row: ReadLine, places: _Places, those: np.ndarray) -> tuple[ReadLine, _Places]:
    """The row less some of its digits."""
    if not those.any():
        return row, places
    digits = tuple(digit for digit, gone in zip(row.decoded.digits, those, strict=True) if not gone)
    unread = any(digit.text == UNREADABLE for digit in digits)
    decoded = replace(row.decoded, digits=digits, confidence=0.0 if unread else all_right(digits))
    return replace(row, decoded=decoded), _Places(places.boxes[~those], places.beyond[~those])


def _is_stray(decoded: Decoded, height: float, tall: float) -> bool:
    """Whether a digit on its own, beside rows of digits `tall` pixels high, is more likely dirt: edges read as ones."""
    alone = len(decoded.digits) == 1 and tall > 0
    return alone and not (decoded.confidence >= 0.9 and may_stand_beside(height, tall))


def _unread(digits: tuple[Digit, ...]) -> int:
    return sum(digit.text == UNREADABLE for digit in digits)
