"""Ruled and squared paper, underlines, form boxes: long thin lines are taken away, the strokes across them stay."""

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.imaging.components import Component

_LONG = 0.35  # of the picture's longer side: what runs further is a line. Upright digits may fill a flat picture.
_PIECE = 0.08  # of the same: a line that slopes or is broken is found by pieces of this length
_THIN = 0.06  # of its length, what a line may be thick, found pieces and all: a broad pen's one is thicker


def remove_rules(mask: U8, components: list[Component]) -> U8 | None:
    """A copy of `mask` without its ruled lines; None where no component is long enough to hold one.

    mask: uint8 [H, W], 255 ink. Only where a component runs over much of the picture is anything looked for, so that
    a picture without lines costs nothing.
    """
    side = max(mask.shape)
    cleaned = None
    if any(c.w > _LONG * side for c in components):
        cleaned = _without_horizontals(mask, side)
    if any(c.h > _LONG * side for c in components):
        turned = np.ascontiguousarray((mask if cleaned is None else cleaned).T)
        cleaned = np.ascontiguousarray(_without_horizontals(turned, side).T)
    return cleaned


def _without_horizontals(mask: U8, side: int) -> U8:
    """Ink that is part of a long and thin horizontal line goes, but for where a stroke crosses it."""
    piece = max(12, round(_PIECE * side))
    thick = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    pieces = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, piece), np.uint8))
    # Pieces one after another make a line; a digit's own horizontal strokes stay alone and are short.
    joined = cv2.morphologyEx(pieces, cv2.MORPH_CLOSE, np.ones((5, piece | 1), np.uint8))
    lines = np.zeros_like(mask)
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        w = cv2.boundingRect(contour)[2]
        if w > _LONG * side and cv2.contourArea(contour) < _THIN * w * w:
            cv2.drawContours(lines, [contour], -1, 255, cv2.FILLED)
    lines = cv2.bitwise_and(cv2.bitwise_and(lines, pieces), mask)
    if not lines.any():
        return mask
    thickness = _thickness(u8(lines))
    # Where ink is much thicker than the line, measured upright, a stroke crosses: keep it.
    crossing = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thickness + 2, 1), np.uint8))
    return u8(cv2.subtract(mask, cv2.subtract(lines, crossing)))


def _thickness(lines: U8) -> int:
    """Upright thickness of lines in pixels, in most columns at most this."""
    above = np.zeros_like(lines)
    above[1:] = lines[:-1]
    starts = np.count_nonzero((lines > 0) & (above == 0), axis=0)
    ink = np.count_nonzero(lines, axis=0)
    there = starts > 0
    return int(np.ceil(np.percentile(ink[there] / starts[there], 75)))
