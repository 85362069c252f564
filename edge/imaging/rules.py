"""Ruled and squared paper, underlines, form boxes: long thin lines are taken away, the strokes across them stay."""

from itertools import pairwise

import cv2
import numpy as np

from edge.arrays import I32, U8, u8
from edge.imaging.components import Component
from edge.imaging.scaling import shrunk

_LONG = 0.35  # of the picture's longer side: what runs further is a line. Upright digits may fill a flat picture.
# Several lines side by side are ruled paper from this share on, and from so many pixels: a tall digit is no shorter.
_SHORTER, _LEAST = 0.14, 150
_PIECE = 0.05  # of the same: a line that bends or is broken is found by pieces of this length
_THIN = 0.06  # of its length, what a line may be thick, found pieces and all: a broad pen's one is thicker
_STEEPEST = 0.5  # slope of lines across, to either side
_APART = 6  # pixels between two lines
_COARSE = 480  # pixels of the longer side that their slope is found at
_RIM = 4  # pixels, above and below lines, that they are looked for in

Box = tuple[int, int, int, int]


def remove_rules(mask: U8, components: list[Component]) -> U8 | None:
    """A copy of `mask` without its ruled lines; None where no component is long enough to hold one.

    mask: uint8 [H, W], 255 ink. Only where a component runs over much of the picture is anything looked for, and only
    there, so that a picture without lines costs nothing.
    """
    side = max(mask.shape)
    several = min(_LONG * side, max(_SHORTER * side, _LEAST))
    cleaned = None
    if any(c.w > several for c in components):
        cleaned = _without_lines(mask, [(c.x, c.y, c.w, c.h) for c in components], side, several, 1)
    # Strokes of digits are upright too: only on squared paper, where lines across were found, are shorter ones lines.
    if any(c.h > (_LONG * side if cleaned is None else several) for c in components):
        turned = np.ascontiguousarray((mask if cleaned is None else cleaned).T)
        boxes = [(c.y, c.x, c.h, c.w) for c in components]
        uprights = _without_lines(turned, boxes, side, several, None if cleaned is None else 3)
        cleaned = cleaned if uprights is None else np.ascontiguousarray(uprights.T)
    return cleaned


def _without_lines(mask: U8, boxes: list[Box], side: int, several: float, at_least: int | None) -> U8 | None:
    """`mask` without its lines across; None where there are none.

    boxes: of the components; side: the picture's longer one; several: pixels from which lines count where there are
    more than `at_least` of them; None: nowhere.
    """
    one = any(w > _LONG * side for _, _, w, _ in boxes)  # a component so long that it may be a line by itself
    x0, y0, x1, y1 = _where_lines_may_be(mask, boxes, side, several)
    part = u8(mask[y0:y1, x0:x1])
    slope, count = _slope(part, side, several)
    if at_least is None or count <= at_least:
        if not one:
            return None
        several = _LONG * side
    up = np.round(slope * (np.arange(part.shape[1]) - part.shape[1] / 2)).astype(int)
    up -= up.min()
    most = int(up.max())
    level = _without_horizontals(_moved(part, up - most, part.shape[0] + most), side, several)
    if level is None:
        return None
    cleaned = mask.copy()
    cleaned[y0:y1, x0:x1] = _moved(level, most - up, part.shape[0])
    return cleaned


def _where_lines_may_be(mask: U8, boxes: list[Box], side: int, several: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all components as wide as a piece of a line, and so much more as closing may add."""
    piece = _piece(side)
    x, y, w, h = np.array([box for box in boxes if box[2] >= min(piece, several)]).T
    height, width = mask.shape
    left, top, right, bottom = int(x.min()), int(y.min()), int((x + w).max()), int((y + h).max())
    return max(0, left - piece), max(0, top - _RIM), min(width, right + piece), min(height, bottom + _RIM)


def _piece(side: int) -> int:
    return max(12, round(_PIECE * side))


def _slope(mask: U8, side: int, least: float) -> tuple[float, int]:
    """The common slope of lines across that are longer than `least` pixels, downward to the right; and how many."""
    shrink = max(2.0, side / _COARSE)
    # A line of a pixel's breadth is left.
    _, small = cv2.threshold(shrunk(mask, 1 / shrink), 160 / shrink, 255, cv2.THRESH_BINARY)
    found = cv2.HoughLinesP(
        u8(small), 1, np.pi / 360, round(100 / shrink), minLineLength=least / shrink, maxLineGap=max(3, 10 / shrink)
    )
    if found is None:
        return 0.0, 0
    x0, y0, x1, y1 = found.reshape(-1, 4).T.astype(np.float64)
    across = np.abs(y1 - y0) <= _STEEPEST * np.abs(x1 - x0)
    if not across.any():
        return 0.0, 0
    x0, y0, x1, y1 = x0[across], y0[across], x1[across], y1[across]
    slopes, lengths = (y1 - y0) / (x1 - x0), np.abs(x1 - x0)
    order = np.argsort(slopes)
    middle = np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)
    slope = float(slopes[order][middle])
    like = np.abs(slopes - slope) < 0.05
    heights = np.sort((y0 - slope * (x0 - small.shape[1] / 2))[like])
    return slope, 1 + int(np.count_nonzero(np.diff(heights) > _APART / shrink))


def _moved(mask: U8, up: np.ndarray, height: int) -> U8:
    """`height` rows of a mask, its columns each moved up by their own `up`, int [W], pixel for pixel: what comes from
    outside is empty.
    """
    moved = np.zeros((height, mask.shape[1]), np.uint8)
    bounds = [0, *(np.flatnonzero(np.diff(up)) + 1).tolist(), mask.shape[1]]
    for x0, x1 in pairwise(bounds):
        top = int(up[x0])
        there = mask[max(0, top) : top + height, x0:x1]
        start = max(0, -top)
        moved[start : start + len(there), x0:x1] = there
    return moved


def _without_horizontals(mask: U8, side: int, least: float) -> U8 | None:
    """Ink that is part of a horizontal line thin and longer than `least` goes, but for where a stroke crosses it; None
    where there is none.
    """
    piece = _piece(side)
    thick = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    pieces = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, piece), np.uint8))
    # Pieces one after another make a line; a digit's own horizontal strokes stay alone and are short.
    joined = cv2.morphologyEx(pieces, cv2.MORPH_CLOSE, np.ones((5, piece | 1), np.uint8))
    lines = np.zeros_like(mask)
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        w = cv2.boundingRect(contour)[2]
        if w > least and cv2.contourArea(contour) < _THIN * w * w:
            cv2.drawContours(lines, [contour], -1, 255, cv2.FILLED)
    lines = cv2.bitwise_and(cv2.bitwise_and(lines, pieces), mask)
    if not lines.any():
        return None
    thickness = _thickness(u8(lines))
    # Where ink is much thicker than the line, measured upright, a stroke crosses: keep it.
    crossing = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thickness + 2, 1), np.uint8))
    return u8(cv2.subtract(mask, cv2.subtract(lines, crossing)))


def _thickness(lines: U8) -> int:
    """Upright thickness of lines in pixels, in most columns at most this."""
    above = np.zeros_like(lines)
    above[1:] = lines[:-1]
    starts, ink = (_counted(u8(plane)) for plane in (cv2.subtract(lines, above), lines))
    there = starts > 0
    return int(np.ceil(np.percentile(ink[there] / starts[there], 75)))


def _counted(mask: U8) -> I32:
    """int32 [W]: how many pixels of each column are 255."""
    return np.asarray(cv2.reduce(mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() // 255, np.int32)
