"""A picture's ink -> its lines: rows of strokes, each made level, and the strips that show it whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median

import cv2
import numpy as np

from edge.arrays import F64, U8, u8
from edge.imaging.candidates import Candidate, find_candidates
from edge.imaging.components import Component, cut_out, find_components, solidity, union
from edge.imaging.cuts import cut, slant_of
from edge.imaging.ink import Ink
from edge.imaging.rows import RowOfStrokes, find_rows, is_edges, straighten, without_blots
from edge.imaging.rules import remove_rules
from edge.imaging.segments import broken_across, segments_apart
from edge.imaging.strip import BESIDE, shown_by, strip, width

BODY = 0.42  # of the tallest stroke's height: what is lower is no digit, and does not tell how tall digits are

# Of a row's height: how near to it the picture must end for all that is beside it to be looked at. Of the 1,400
# pictures of `python -m benchmarks.choice` 0, 2, 3.5 and 5 read 1074, 1075, 1077 and 1077, of real cheques 5 most.
_EDGE = 3.5
# Of a row's height, how broad and how tall, and of the rectangle round it how much is ink, of what is no digit.
_BLOCK = 0.3, 0.75, 0.7
# Of a row's height: how far off its level, and times its height, how much taller or lower the rest of it may be.
_ON_LEVEL, _ALIKE = 0.45, 1.6
# Likewise, what is smaller both ways is dirt, or what a ruled line left, and no part of any digit. Of 4,300 validation
# pictures 3683, 3686, 3683 and 3681 are read with 0.05, 0.075, 0.1 and 0.15, 3682 with none; of rows on ruled paper,
# each speck being tried with its neighbours, there were twice as many candidates. Of pale digits larger ones are parts.
_SPECK = 0.075


@dataclass(frozen=True)
class Look:
    """How a row is shown: as if its digits were `zoom` times as tall, `wide` times as wide and `lift` of their height
    further up than was measured; and leant over to the right, by `lean` pixels for each that is one higher.
    """

    zoom: float = 1.0
    lift: float = 0.0
    lean: float = 0.0
    wide: float = 1.0


AS_MEASURED = Look()


@dataclass(frozen=True)
class Line:
    """One row of strokes, level.

    strokes: left to right; ink: all there is in the picture it was found in; left, right: of the row, top, height: of
    its digits, pixels; back: float64 [2, 3] from the line's pixels to that picture's, None where they are the same.
    """

    strokes: Sequence[Component]
    ink: Ink
    left: float
    right: float
    top: float
    height: float
    back: F64 | None

    def strip(self, look: Look = AS_MEASURED) -> U8:
        """The row with its paper, uint8 [32, W]."""
        middle, height = self.top + self.height * (0.5 - look.lift), self.height * look.zoom
        if not look.lean and look.wide == 1:
            return strip(self.ink, self.left, self.right, middle, height, self.back)
        back = np.array([[look.wide, look.lean, -look.lean * middle], [0, 1, 0]])
        if self.back is not None:
            back = self.back @ np.vstack([back, [0, 0, 1]])
        return strip(self.ink, self.left / look.wide, self.right / look.wide, middle, height, back)

    def level_strokes(self) -> U8:
        """The ink alone, uint8 [H, W], in the line's own pixels, as far as its strokes reach."""
        x, y, w, h = union(self.strokes)
        level = np.zeros((y + h, x + w), np.uint8)
        back = np.eye(2, 3) if self.back is None else self.back
        to_ink = np.column_stack([back[:, :2], back @ [x, y, 1]])
        seen, x0, y0 = shown_by(self.ink, to_ink, w, h)
        if seen.mask.size:
            to_ink[:, 2] -= x0, y0
            turned = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            level[y:, x:] = cv2.warpAffine(seen.strokes(), to_ink, (w, h), flags=turned)
        return level

    @property
    def width(self) -> int:
        """Pixels of its strip."""
        return width(self.left, self.right, self.height)

    def spread(self, left: float, right: float) -> float:
        """Standard deviation of the ink's strength in a part of the row, and what else is in the picture's upright
        rectangle about it: how far the paper is from plain. 0 outside of the picture.
        """
        # In plain numbers: of every row three parts are asked about, and arrays of so few are ten times as slow.
        along, down = (left, right), (self.top, self.top + self.height)
        bounds = []
        for a, b, c in [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)] if self.back is None else self.back.tolist():
            reach = [a * x + b * y + c for x in along for y in down]
            bounds.append(slice(max(0, int(min(reach))), max(0, math.ceil(max(reach)))))
        part = self.ink.strength[bounds[1], bounds[0]]
        return float(cv2.meanStdDev(part)[1][0, 0]) if part.size else 0.0

    @property
    def is_wider(self) -> bool:
        """Whether it reaches beyond its strokes."""
        return self.left < min(s.x for s in self.strokes) or self.right > max(s.right for s in self.strokes)

    @property
    def is_on_plate(self) -> bool:
        """Whether a stroke as tall as a digit is too broad and solid for a digit or a letter: of what parts a meter's
        windows, say.
        """
        wide, tall, solid = _BLOCK
        return any(
            stroke.w >= wide * self.height and stroke.h >= tall * self.height and solidity(stroke) >= solid
            for stroke in self.strokes
        )

    @property
    def ends(self) -> F64:
        """float64 [2, 2]: x, y in the picture's pixels of its left and its right end, half-way up its digits."""
        middle = self.top + self.height / 2
        ends = np.array([[self.left, middle], [self.right, middle]])
        return ends if self.back is None else ends @ self.back[:, :2].T + self.back[:, 2]

    def holds(self, other: "Line") -> bool:
        """Whether most strokes of another line of the same picture lie in this one."""
        return bool(self._inside(other).mean() > 0.5)

    def meets(self, other: "Line") -> bool:
        """Whether strokes of one of two lines of the same picture lie in the other."""
        return bool(self._inside(other).any() or other._inside(self).any())

    def _inside(self, other: "Line") -> np.ndarray:
        """Which of another line's strokes have their middles in this one, bool [n]."""
        middles = np.array([stroke.centre for stroke in other.strokes])
        if other.back is not None:
            middles = middles @ other.back[:, :2].T + other.back[:, 2]
        if self.back is not None:
            here = cv2.invertAffineTransform(self.back)
            middles = middles @ here[:, :2].T + here[:, 2]
        x, y = middles.T
        level = abs(y - self.top - self.height / 2) <= 0.6 * self.height
        return np.asarray((x >= self.left) & (x <= self.right) & level)


def find_lines(ink: Ink, room: float) -> list[Line]:
    """The lines of a picture, top to bottom, ruled lines and blots left out; of a dense page, those whose strips have
    `room` pixels together.
    """
    ink, components = find_strokes(ink)
    rows = find_rows(components)
    broken = broken_across(rows)
    if broken:
        mask = u8(cv2.morphologyEx(ink.mask, cv2.MORPH_CLOSE, np.ones((broken, 1), np.uint8)))
        ink, rows = replace(ink, mask=mask), find_rows(find_components(mask))
    # One digit on its own may look like an edge.
    rows = [row for row in rows if not is_edges(row)] or rows
    return [_to_edges(_line(without_blots(row), ink)) for row in _likeliest(rows, room)]


def find_strokes(ink: Ink) -> tuple[Ink, list[Component]]:
    """A picture's ink without ruled lines, segments of displays bridged, and its strokes."""
    mask = ink.mask
    components = find_components(mask)
    cleaned = remove_rules(mask, components)
    if cleaned is not None:
        mask, components = cleaned, find_components(cleaned)
    bridge = segments_apart(components)
    if bridge:
        mask = u8(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((bridge, bridge), np.uint8)))
        components = find_components(mask)
    return replace(ink, mask=mask), components


def _likeliest(rows: list[RowOfStrokes], room: float) -> list[RowOfStrokes]:
    """Those whose strips have `room` pixels together, in the same order, several strokes before single ones, large
    before small: what is written to be read stands out of a page of print, keys or noise, that could take a minute.
    """
    widths = [width(row.left, row.right, row.height) for row in rows]
    if sum(widths) <= room:
        return rows
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i].body) == 1, -rows[i].height))
    taken = np.cumsum([widths[i] for i in order])
    return [rows[i] for i in sorted(order[: np.searchsorted(taken, room)])]


def lattice(line: Line) -> tuple[list[Candidate], list[U8]]:
    """What may be one digit in a line, specks left out, and the ink of each: uint8 [h, w]."""
    strength, slant = line.level_strokes(), slant_of(line.strokes)
    pieces = [
        cut(stroke, strength, line.height, slant)
        for stroke in line.strokes
        if max(stroke.w, stroke.h) >= _SPECK * line.height
    ]
    candidates = find_candidates(pieces, line.height)
    return candidates, [cut_out(strength, candidate.pieces) for candidate in candidates]


def _line(row: RowOfStrokes, ink: Ink) -> Line:
    strokes = row.strokes()
    turn = straighten(row)
    back = None
    if turn is not None:
        strokes = sorted(_turned(strokes, turn), key=lambda c: c.centre[0])
        back = cv2.invertAffineTransform(turn)
    height, middle = _height_and_middle(strokes)
    left, right = float(min(c.x for c in strokes)), float(max(c.right for c in strokes))
    return Line(strokes, ink, left, right, middle - height / 2, height, back)


def _height_and_middle(strokes: Sequence[Component]) -> tuple[float, float]:
    """Of a row's digits, pixels, by the strokes that may be some."""
    least = BODY * max(stroke.h for stroke in strokes)
    body = [stroke for stroke in strokes if stroke.h >= least]
    return float(median([stroke.h for stroke in body])), float(median([stroke.centre[1] for stroke in body]))


def _to_edges(line: Line) -> Line:
    """The line with all there is of the picture beside it, where it nearly fills it: as in a form's field cut out, what
    is written there is of this row, strokes too pale to be found with it.
    """
    if line.back is not None:
        return line
    end, room = line.ink.mask.shape[1], _EDGE * line.height
    # A strip shows some paper beside a row anyway.
    left = min(line.left, BESIDE * line.height) if line.left < room else line.left
    right = max(line.right, end - BESIDE * line.height) if end - line.right < room else line.right
    return replace(line, left=left, right=right)


def united(one: Line, other: Line, gap: float = 0.0) -> Line | None:
    """Both lines of a picture as one, in the first's pixels; None where the other does not go on on its level, from
    where the first one is looked at, or `gap` pixels to the right of there.
    """
    strokes = list(other.strokes)
    if one.back is not None or other.back is not None:
        there, here = (np.eye(2, 3) if line.back is None else line.back for line in (other, one))
        back = cv2.invertAffineTransform(here)
        turn = np.hstack([back[:, :2] @ there[:, :2], back[:, :2] @ there[:, 2:] + back[:, 2:]])
        strokes = _turned(strokes, turn)
    height, middle = _height_and_middle(strokes)
    left, right = float(min(s.x for s in strokes)), float(max(s.right for s in strokes))
    level = abs(middle - one.top - one.height / 2) <= _ON_LEVEL * one.height
    alike = max(height, one.height) <= _ALIKE * min(height, one.height)
    if not (level and alike and left < one.right + gap and right > one.left):
        return None
    both = sorted([*one.strokes, *strokes], key=lambda stroke: stroke.centre[0])
    line = replace(one, strokes=both, left=min(left, one.left), right=max(right, one.right))
    return line if one.back is None and other.back is None else _with_room(line)


def _with_room(line: Line) -> Line:
    """The same line in pixels of its own in which all its strokes lie, none left of them or above."""
    back = np.eye(2, 3) if line.back is None else line.back
    x, y = max(0, -min(s.x for s in line.strokes)), max(0, -min(s.y for s in line.strokes))
    strokes = _turned(line.strokes, np.array([[1.0, 0, x], [0, 1, y]]))
    back = np.hstack([back[:, :2], back[:, 2:] - back[:, :2] @ [[x], [y]]])
    return replace(line, strokes=strokes, left=line.left + x, right=line.right + x, top=line.top + y, back=back)


def _turned(components: Sequence[Component], turn: F64) -> list[Component]:
    contours = [contour for each in components for contour in each.contours + each.holes]
    points = np.concatenate(contours) @ turn[:, :2].T + turn[:, 2]
    ends = np.cumsum([len(contour) for contour in contours])[:-1]
    placed = iter(np.split(np.round(points).astype(np.int32), ends))
    turned = []
    for each in components:
        outlines, holes = (tuple(islice(placed, len(old))) for old in (each.contours, each.holes))
        x, y, w, h = cv2.boundingRect(np.concatenate(outlines))
        turned.append(Component(outlines, x, y, w, h, holes))
    return turned
