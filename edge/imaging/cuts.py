"""Where a stroke that may hold several digits could be cut: along the slant of the writing, through little ink."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from edge.arrays import F64, U8
from edge.imaging.components import Component, cut_out

# Of the row's digit height:
_NARROWEST = 0.62  # a narrower stroke holds one digit
_APART = 0.17  # between two cuts, and between a cut and the stroke's end
_SMOOTH = 0.04
_DEEPEST = 0.45  # of ink that a cut may run through
_STEEPEST = 0.7  # slant: horizontal shift by height


def slant_of(components: Sequence[Component]) -> float:
    """Horizontal shift by height, positive to the right as writing mostly leans: the median of the strokes' second
    moments, of those that are taller than wide.
    """
    slants = []
    for component in components:
        if component.h > component.w:
            moments = cv2.moments(component.contours[0])
            if moments["mu02"] > 0:
                slants.append(-moments["mu11"] / moments["mu02"])
    return float(np.clip(np.median(slants), -_STEEPEST, _STEEPEST)) if slants else 0.0


def cut(component: Component, strength: U8, height: float, slant: float) -> list[Component]:
    """The pieces of a stroke, left to right, between its possible cuts; the stroke alone where there are none.

    strength: uint8 [H, W], the picture's ink; height: of the row's digits, pixels; slant: see `slant_of`.
    """
    if component.w < _NARROWEST * height:
        return [component]
    ink = (cut_out(strength, [component]) > 0).astype(np.uint8)
    if not ink.any():  # what a bridge between segments made
        return [component]
    # Columns that lean like the writing: each pixel counts for the column it meets the foot of the box in.
    y, x = np.nonzero(ink)
    column = x + slant * (y - (component.h - 1) / 2)
    first = int(np.floor(column.min()))
    amount = np.bincount((column - first).astype(int)).astype(np.float64)
    pieces = []
    bounds = [-np.inf, *(first + c for c in _valleys(amount, height)), np.inf]
    grid_y, grid_x = np.mgrid[0 : component.h, 0 : component.w]
    lean = grid_x + slant * (grid_y - (component.h - 1) / 2)
    for left, right in pairwise(bounds):
        part = ink * ((lean >= left) & (lean < right))
        contours, _ = cv2.findContours(
            part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(component.x, component.y)
        )
        if contours:
            box = cv2.boundingRect(np.concatenate(contours))
            pieces.append(Component(tuple(contours), *box))
    return pieces


def _valleys(amount: F64, height: float) -> list[int]:
    """Columns with locally least ink, lowest first kept, none nearer to another or to an end than `_APART`."""
    width = max(1, round(_SMOOTH * height)) | 1
    smooth = np.convolve(np.pad(amount, width // 2, "edge"), np.ones(width) / width, "valid")
    apart = max(3, round(_APART * height))
    inner = np.arange(apart, len(smooth) - apart)
    low = [
        c
        for c in inner
        if smooth[c] <= _DEEPEST * height and smooth[c] == smooth[max(0, c - apart // 2) : c + apart // 2 + 1].min()
    ]
    kept: list[int] = []
    for c in sorted(low, key=lambda c: float(smooth[c])):
        if all(abs(c - other) >= apart for other in kept):
            kept.append(int(c))
    return sorted(kept)
