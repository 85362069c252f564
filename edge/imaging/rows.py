"""Rows: strokes side by side whose heights and baselines agree."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import cv2
import numpy as np

from edge.arrays import F64
from edge.imaging.components import Component, pen_width, roughness, union

# Of the row's digit height, all by which neighbours may differ and still be one row.
_GAP = 2.2
_OVERLAP = 0.45
_SMALLEST = 0.42
_TALLEST = 2.3
_BAND = 0.75  # above and below a stroke's middle, where a small stroke belongs to its row
_FAR = 1.2  # a gap within a row: groups of digits stand apart, but not as far as this
_FAR_BY_GAPS = 3.0  # times the median gap
_ROOM = 0.8  # round a row that is made level
_ENOUGH = 3  # strokes in a row before its pen can be told
_BROADER = 2.2  # times the row's median breadth of the pen
# Of the row's digit height, the least of a dot that parts groups: a pen's breadth, not a speck's.
_DOT = 0.08
# How many times its hull's length the boundary of a stroke is at least that is broader than tall and may be digits: of
# digits that touch it was 1.54 and more in all rows of 2,150 validation pictures; of MNIST's training digits on their
# own one in 700 is below, and half of the broad strokes in which the row model saw nothing.
_ROUGH = 1.2
_LONGEST = 12.0  # heights that a row may be long as one stroke; fourteen digits that touch are ten


@dataclass
class RowOfStrokes:
    """body: strokes as tall as digits, left to right; marks: smaller strokes among them, in no order."""

    body: list[Component]
    marks: list[Component] = field(default_factory=list)

    @property
    def height(self) -> float:
        """Median height of the body, pixels."""
        return float(median([c.h for c in self.body]))

    @property
    def left(self) -> int:
        return min(c.x for c in self.body)

    @property
    def right(self) -> int:
        return max(c.right for c in self.body)

    @property
    def angle(self) -> float:
        """Slope of the row in radians, positive where it falls to the right; 0 for fewer than three strokes.

        The lesser of those of its upper and of its lower edge, 0 where they disagree: on a sheet that is turned both
        slope alike, where the first digit is a large one only one does.
        """
        if len(self.body) < 3:
            return 0.0
        x = [c.centre[0] for c in self.body]
        upper, lower = _slope(x, [c.y for c in self.body]), _slope(x, [c.bottom for c in self.body])
        return min(upper, lower, key=abs) if upper * lower > 0 else 0.0

    def strokes(self) -> list[Component]:
        """Body and marks by their horizontal centres."""
        return sorted(self.body + self.marks, key=lambda c: c.centre[0])


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the line through points that single ones pull little, radians."""
    points = np.array([x, y], np.float32).T
    vx, vy, _, _ = cv2.fitLine(points, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
    return float(np.arctan2(vy, vx)) if vx >= 0 else float(np.arctan2(-vy, -vx))


class _Growing:
    """A row that more strokes may join. y: of its last stroke; end: of its last three; reach: how far right the next
    may begin, whatever its height.
    """

    __slots__ = ("end", "reach", "row", "y")

    def __init__(self, row: RowOfStrokes) -> None:
        self.row = row
        self._measure()

    def append(self, component: Component) -> None:
        self.row.body.append(component)
        self._measure()

    def _measure(self) -> None:
        last = self.row.body[-3:]
        self.y = last[-1].y
        self.end = max([c.x + c.w for c in last])
        self.reach = self.end + _GAP * max([c.h for c in last])


def find_rows(components: list[Component], least: int = 8) -> list[RowOfStrokes]:
    """Group strokes at least `least` pixels tall into rows, top to bottom: each into one, but for edges that run across
    the picture. Lesser ones join the row they lie in.

    Strokes are taken left to right; each joins the row whose last stroke it overlaps most in height, so that a row
    may slope or bend.
    """
    body = sorted((c for c in components if c.h >= least), key=lambda c: c.x)
    small = [c for c in components if c.h < least]
    rows: list[RowOfStrokes] = []
    # Only rows that end near enough to be continued are compared: a page of noise has thousands.
    growing: list[_Growing] = []
    for component in body:
        x, y, reach, apart = component.x, component.y, _GAP * component.h, _TALLEST * component.h
        growing = [one for one in growing if x <= one.reach or x <= one.end + reach]
        fitting = [
            (fit, i)
            for i, one in enumerate(growing)
            if -apart <= one.y - y <= apart and (fit := _fit(one.row, component)) > 0
        ]
        if fitting:
            growing[max(fitting)[1]].append(component)
        else:
            rows.append(RowOfStrokes([component]))
            growing.append(_Growing(rows[-1]))
    rows = [part for row in _merged(rows) for part in _parted(row, components)]
    result = []
    for row in rows:
        tall = median(sorted((c.h for c in row.body), reverse=True)[: (len(row.body) + 1) // 2])
        low = [c for c in row.body if c.h < _SMALLEST * tall]
        result.append(RowOfStrokes([c for c in row.body if c.h >= _SMALLEST * tall], low))
    # A comma or dash large enough to be a digit elsewhere began a row of its own; its neighbours tell what it is.
    few = [c for row in result if len(row.body) < _ENOUGH for c in row.body]
    belongs = {id(c): i is not None for c, i in zip(few, _rows_of(few, result), strict=True)}
    alone = [row.body[0] for row in result if len(row.body) == 1]
    single = np.array([(c.x, c.y, c.right, c.bottom) for c in alone]).reshape(-1, 4)
    kept = []
    for row in result:
        if all(belongs.get(id(c), False) for c in row.body) and not _is_encircled(row, single):
            small += row.body + row.marks
        else:
            kept.append(row)
    result = kept
    left_over = []  # the row that one belonged to was itself another's
    for component, i in zip(small, _rows_of(small, result, least=0.0), strict=True):
        if i is not None:
            result[i].marks.append(component)
        elif component.h >= least:
            left_over.append(RowOfStrokes([component]))
    result += left_over
    result = [row for row in result if not _is_an_edge(row)]
    return sorted(result, key=lambda row: median([c.centre[1] for c in row.body]))


def _is_encircled(row: RowOfStrokes, single: np.ndarray) -> bool:
    """Whether it lies in a single stroke, as a number that a ring or a box is drawn round: no marks of that.

    single: int [n, 4], left, top, right and bottom of the strokes that are rows of their own.
    """
    x, y, w, h = union(row.body)
    around = (single[:, :2] < (x, y)) & (single[:, 2:] > (x + w, y + h))
    return bool(around.all(1).any())


def _is_an_edge(row: RowOfStrokes) -> bool:
    """Whether it is one long stroke: a sheet's edge, a line, a shadow's."""
    return len(row.body) == 1 and row.body[0].w > _LONGEST * row.body[0].h


def _fit(row: RowOfStrokes, component: Component) -> float:
    """How well a stroke continues a row: 0 not at all, to 1."""
    last = row.body[-3:]
    height = max(c.h for c in last)
    best = 0.0
    for neighbour in last:
        gap = component.x - neighbour.right
        taller, lower = max(component.h, neighbour.h), min(component.h, neighbour.h)
        overlap = min(component.bottom, neighbour.bottom) - max(component.y, neighbour.y)
        if gap <= _GAP * max(height, component.h) and taller <= _TALLEST * lower and overlap >= _OVERLAP * lower:
            best = max(best, overlap / taller * (1 - max(gap, 0) / (3 * _GAP * taller)))
    return best


def _merged(rows: list[RowOfStrokes]) -> list[RowOfStrokes]:
    """Rows that turned out to be one: each stroke of the one lies within the height of a near one of the other."""
    rows = sorted(rows, key=lambda row: -len(row.body))
    kept: list[RowOfStrokes] = []
    boxes = np.empty((len(rows), 4))  # of the kept: left, top, right, bottom
    heights = np.empty(len(rows))
    for row in rows:
        x, y, w, h = union(row.body)
        reach = 1.5 * heights[: len(kept)]
        left, top, right, bottom = boxes[: len(kept)].T
        around = (left - reach <= x + w) & (right + reach >= x) & (top <= y + h) & (bottom >= y)
        for i in np.flatnonzero(around):
            if _within(row, kept[i], float(reach[i])):
                kept[i].body = sorted(kept[i].body + row.body, key=lambda c: c.x)
                break
        else:
            boxes[len(kept)] = x, y, x + w, y + h
            heights[len(kept)] = row.height
            kept.append(row)
    return kept


def _within(row: RowOfStrokes, other: RowOfStrokes, reach: float) -> bool:
    near = [c for c in other.body if any(abs(c.centre[0] - d.centre[0]) < reach for d in row.body)]
    return bool(near) and all(
        any(min(c.bottom, d.bottom) - max(c.y, d.y) >= 0.7 * d.h and d.h <= 1.3 * c.h for c in near) for d in row.body
    )


def _parted(row: RowOfStrokes, components: list[Component]) -> list[RowOfStrokes]:
    """A row in parts where a gap is much wider than its others: what stands far off is something else, unless a dot or
    a comma stands between; what stands twice as far is, anyway.
    """
    if len(row.body) <= _ENOUGH:
        return [row]
    ends = np.maximum.accumulate([c.right for c in row.body])
    gaps = np.array([c.x for c in row.body[1:]]) - ends[:-1]
    far = max(_FAR * row.height, _FAR_BY_GAPS * median(gaps.tolist()))
    wide = np.flatnonzero(gaps > far).tolist()
    wide = [i + 1 for i in wide if gaps[i] > 2 * far or not _is_grouped(row, i, int(ends[i]), components)]
    return [RowOfStrokes(row.body[start:end]) for start, end in pairwise([0, *wide, len(row.body)])]


def _is_grouped(row: RowOfStrokes, i: int, end: int, components: list[Component]) -> bool:
    """Whether in the gap after the row's stroke `i`, from `end` on, stands what parts groups of digits."""
    before, after = row.body[i], row.body[i + 1]
    middle, foot = (before.y + before.bottom) / 2, max(before.bottom, after.bottom)
    small, least = _SMALLEST * row.height, _DOT * row.height
    return any(
        end <= mark.x
        and mark.right <= after.x
        and least <= max(mark.w, mark.h)
        and mark.h < small
        and middle < mark.centre[1] < foot + small
        for mark in components
    )


def _rows_of(components: list[Component], rows: list[RowOfStrokes], least: float = 1 / _SMALLEST) -> list[int | None]:
    """Which row each stroke would be a mark of: broken-off parts of digits, dots, commas, dashes in the row's band.

    least: by which a row's digits must be taller than the stroke.
    """
    found: list[int | None] = [None] * len(components)
    if not rows or not components:
        return found
    heights = np.array([row.height for row in rows])
    left, top, width, tall = np.array([union(row.body) for row in rows], np.float64).T
    x, y, h = np.array([(*c.centre, c.h) for c in components], np.float64).T[:, :, None]
    beside = (left - heights <= x) & (x <= left + width + heights)
    level = (top - heights <= y) & (y <= top + tall + heights)
    bodies = [np.array([(*c.centre, c.w / 2) for c in row.body]) for row in rows]
    for k, i in zip(*(indices.tolist() for indices in np.nonzero(beside & level & (least * h < heights))), strict=True):
        if found[k] is not None:
            continue
        away = np.abs(bodies[i][:, 0] - x[k])
        near = int(away.argmin())
        _, middle, half = bodies[i][near]
        if away[near] <= half + heights[i] and abs(middle - y[k, 0]) <= _BAND * heights[i]:
            found[k] = i
    return found


def without_blots(row: RowOfStrokes) -> RowOfStrokes:
    """The row without what a much broader pen would have drawn: fingers, edges of things, shadows beside the digits."""
    if len(row.body) < _ENOUGH:
        return row
    widths = [pen_width(component) for component in row.body]
    most = _BROADER * median(widths)
    return RowOfStrokes([c for c, width in zip(row.body, widths, strict=True) if width <= most], row.marks)


def is_edges(row: RowOfStrokes) -> bool:
    """Whether all its strokes are broader than tall and none has bays: corners and edges of sheets, shadows, things."""
    return all(c.w > c.h and roughness(c) < _ROUGH for c in row.body)


def straighten(row: RowOfStrokes) -> F64 | None:
    """The rotation that makes a sloping row level, float64 [2, 3] from picture to row; None where it is level."""
    angle = row.angle
    if abs(angle) < np.deg2rad(2.5):
        return None
    points = np.concatenate([contour.reshape(-1, 2) for c in row.strokes() for contour in c.contours])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    offset = _ROOM * row.height - turned.min(0)
    return np.hstack([turn, offset[:, None]])
