"""Which rows of a frame are which of the frame before: by place, size and text, for a camera or a sheet in a hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.arrays import F64
from edge.assignment import assign
from edge.row import Row

Shift = tuple[float, float]

# How far a row may be from where it is looked for: in its digits' heights, and in its widths, as a row of which an end
# is not seen has its middle elsewhere; and how many times as high it may be.
_FAR, _FAR_WIDE = 1.5, 0.25
_GROWN = 1.6
_OTHER_TEXT = 1.0  # what another text costs; as far away or as much larger as it may be costs 1
_ALONE = 2.0  # what it costs to be nowhere
_SPELT = 2  # digits of a text by which a row is known again


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row is and what it says. x, y: its middle; width, height: of its digits together; all in pixels."""

    text: str
    x: float
    y: float
    width: float
    height: float

    def moved(self, shift: Shift) -> "Place":
        return replace(self, x=self.x + shift[0], y=self.y + shift[1])


def place_of(row: Row) -> Place:
    top_left, top_right, bottom_right, bottom_left = np.array(row.quad, np.float64)
    x, y = (top_left + top_right + bottom_right + bottom_left) / 4
    width = np.hypot(*(top_right - top_left)) + np.hypot(*(bottom_right - bottom_left))
    height = np.hypot(*(bottom_left - top_left)) + np.hypot(*(bottom_right - top_right))
    return Place(row.text, float(x), float(y), float(width / 2), max(float(height / 2), 1.0))


def follow(before: Sequence[Place], now: Sequence[Place]) -> tuple[list[tuple[int, int]], Shift]:
    """Pairs (i, j): now[j] is what before[i] was; and by how many pixels the picture has moved, as far as that shows.

    Rows of which there is one alike before and now tell how the picture moved. The pairs are those of least cost for
    all rows together, whether it moved so or not at all. A row that is in no pair then, further off than a hand moves,
    but has the text of a single one that is missed, is that.
    """
    tried = []
    for shift in dict.fromkeys([(0.0, 0.0), _motion(before, now)]):
        costs = _costs([place.moved(shift) for place in before], now)
        pairs = assign(costs, _ALONE)
        total = sum(float(costs[pair]) for pair in pairs) + _ALONE * (len(before) - len(pairs))
        tried.append((total, shift, pairs))
    _, shift, pairs = min(tried, key=lambda one: one[0])
    return sorted(pairs + _known_again(before, now, pairs)), shift


def _costs(before: Sequence[Place], now: Sequence[Place]) -> F64:
    """float64 [len(before), len(now)]: 0 for the same text at the same place, inf for what cannot be the same row."""
    if not before or not now:
        return np.zeros((len(before), len(now)))
    old = np.array([(one.x, one.y, one.width, one.height) for one in before])[:, None]
    new = np.array([(one.x, one.y, one.width, one.height) for one in now])[None]
    wide, high = np.maximum(old[..., 2], new[..., 2]), np.maximum(old[..., 3], new[..., 3])
    away = np.hypot(new[..., 0] - old[..., 0], new[..., 1] - old[..., 1]) / (_FAR * high + _FAR_WIDE * wide)
    grown = np.log(new[..., 3] / old[..., 3]) / np.log(_GROWN)
    other = np.array([[one.text != two.text for two in now] for one in before])
    costs = away**2 + grown**2 + _OTHER_TEXT * other
    return np.asarray(np.where((away <= 1) & (np.abs(grown) <= 1), costs, np.inf), np.float64)


def _motion(before: Sequence[Place], now: Sequence[Place]) -> Shift:
    """The median shift of the rows whose text stands in one place before and in one place now; (0, 0) without such, or
    where most of them moved otherwise.
    """
    pairs = _alike(before, now)
    if not pairs:
        return 0.0, 0.0
    shifts = np.array([(now[j].x - before[i].x, now[j].y - before[i].y) for i, j in pairs])
    middle = np.median(shifts, axis=0)
    off = np.hypot(*(shifts - middle).T) / [before[i].height for i, _ in pairs]
    return (float(middle[0]), float(middle[1])) if np.mean(off <= 1) > 0.5 else (0.0, 0.0)


def _known_again(
    before: Sequence[Place], now: Sequence[Place], pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    taken, found = {i for i, _ in pairs}, {j for _, j in pairs}
    missed, new = [i for i in range(len(before)) if i not in taken], [j for j in range(len(now)) if j not in found]
    return [(missed[i], new[j]) for i, j in _alike([before[i] for i in missed], [now[j] for j in new])]


def _alike(before: Sequence[Place], now: Sequence[Place]) -> list[tuple[int, int]]:
    """Pairs of the same text and about the same size, where it stands once before and once now."""
    counts = Counter(one.text for one in before), Counter(one.text for one in now)
    where = {one.text: j for j, one in enumerate(now)}
    return [
        (i, where[one.text])
        for i, one in enumerate(before)
        if len(one.text) >= _SPELT
        and counts[0][one.text] == counts[1][one.text] == 1
        and 1 / _GROWN <= now[where[one.text]].height / one.height <= _GROWN
    ]
