"""Strokes of a picture -> those that may be one digit, by their places alone: the parts of a broken digit lie near each
other, and digits stand apart.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from edge.arrays import F64
from edge.imaging.components import Component

SPECK = 1 / 12
"""Of the longer side of the digit beside it: what is smaller is dirt."""
SMALL = 0.6
"""Of the larger one's longer side: a smaller stroke is a part, a larger one may be a digit."""

# Of the larger stroke's longer side, how far apart two strokes of one digit may be: of two large ones; of two where one
# is above the other; of a small one beside a large one.
NEAR, _BROKEN, _BESIDE = 0.08, 0.15, 0.25
SIGN = 0.45
"""As `NEAR`, of labels the model does not know: signs of several large strokes."""
_POINTS = 60  # of a stroke's contour, by which distances are measured


def grouped(strokes: Sequence[Component], points: dict[int, F64], near: float) -> list[list[Component]]:
    """Strokes, largest first, each with the digit it is a part of by its place alone; groups' largest come first."""
    if not strokes:
        return []
    boxes = np.array([(c.x, c.y, c.right, c.bottom) for c in strokes], np.float64)
    close = gaps(boxes) <= _reaches(boxes, near)
    owners: list[int] = []
    for i, stroke in enumerate(strokes):
        best, owner = np.inf, i
        for j in np.flatnonzero(close[i, :i]).tolist():
            far = distance(points[id(stroke)], points[id(strokes[j])])
            if far < best and far <= _reaches(boxes[[i, j]], near)[0, 1]:
                best, owner = far, owners[j]
        owners.append(owner)
    return [[strokes[i] for i in range(len(strokes)) if owners[i] == owner] for owner in sorted(set(owners))]


def _reaches(boxes: F64, near: float) -> F64:
    """float64 [n, n]: pixels that a stroke (line) may lie from another, larger one (column) to be a part of the same
    digit; below 0: it is dirt. boxes: float64 [n, 4], left, top, right, bottom.
    """
    sizes = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    small, large = np.minimum(sizes, sizes[:, None]), np.maximum(sizes, sizes[:, None])
    shared = np.minimum(boxes[:, 2], boxes[:, None, 2]) - np.maximum(boxes[:, 0], boxes[:, None, 0])
    wide = boxes[:, 2] - boxes[:, 0]
    above = shared > 0.5 * np.minimum(wide, wide[:, None])
    share = np.where(above, max(_BROKEN, near), near)
    share = np.where(small < SMALL * large, max(_BESIDE, near), share)
    return np.asarray(np.where(small < SPECK * large, -1.0, share * large), np.float64)


def gaps(boxes: F64) -> F64:
    """float64 [n, n]: pixels between boxes, float64 [n, 4], left, top, right, bottom."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    return np.asarray(np.hypot(*np.moveaxis(np.maximum(low - high, 0), 2, 0)), np.float64)


def longer_side(stroke: Component) -> int:
    """Pixels."""
    return max(stroke.w, stroke.h)


def distance(one: F64, other: F64) -> float:
    """Pixels between the nearest of two sets of points, float64 [n, 2]."""
    between = one[:, None] - other[None]
    return float(np.sqrt((between * between).sum(2).min()))


def outline(stroke: Component) -> F64:
    """float64 [n, 2]: points of a stroke's boundary, as dense as `_POINTS` of them are."""
    dense = []
    step = max(1.0, sum(cv2.arcLength(contour, True) for contour in stroke.contours) / _POINTS)
    for contour in stroke.contours:
        corners = contour.reshape(-1, 2).astype(np.float64)
        ends = np.roll(corners, -1, axis=0)
        counts = np.maximum(1, np.ceil(np.hypot(*(ends - corners).T) / step)).astype(int)
        if len(corners) > _POINTS:  # a ragged edge: every so many corners
            dense.append(corners[:: -(-len(corners) // _POINTS)])
            continue
        share = np.concatenate([np.arange(n) / n for n in counts])[:, None]
        start, end = np.repeat(corners, counts, axis=0), np.repeat(ends, counts, axis=0)
        dense.append(start + (end - start) * share)
    return np.concatenate(dense)
