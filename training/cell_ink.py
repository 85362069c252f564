"""A photographed cell -> the ink of the digit in its middle, its frame and its neighbours left behind."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.arrays import U8, u8
from edge.imaging.ink import dark_ink
from training.synth.strokes import cropped

# These numbers were chosen by eye, on sheets of some hundred cells of each set beside their inks.
_LEVELS = (0.5, 0.7, 1.0)  # of Otsu's threshold: pale strokes stay whole at the lowest, what touches parts higher up
_FAINT = 8  # of 255: below it nothing is ink
_EVEN = 0.03  # how near light and dark may be to equally likely ink for neither to be taken
_HIGH = 0.97  # of the cell, what a digit is high at most
_ASIDE = 0.2  # of the cell, how far above or below its middle a digit's may be
# Breadth of a digit in its heights; an upright bar that is no one is a part of a digit.
_NARROWEST, _NARROWEST_ONE, _BROADEST = 0.38, 0.08, 1.05
_SPECK = 0.02  # of the largest stroke: what is smaller is no part of a digit
_BESIDE, _LEFT_OUT = 0.1, 0.04  # of the cell and of the digit: ink left out beside it, and how much of it may be
_PALE = 0.35  # of Otsu's threshold: such ink, too
_FLOOR = 0.15  # of a digit's darkest: where its rim ends

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Layout:
    """What is known of a set's cells; lengths are shares of a cell's side."""

    frame: float
    """the outermost, which is not looked at"""
    least: float
    """height of a digit, at least"""
    apart: float
    """how far the strokes of one digit stand apart; 0: a digit is one stroke"""
    off: float
    """how far the middle of a digit may be left or right of the cell's"""
    light: bool = False
    """whether ink may be lighter than what is round it"""
    segments: bool = False
    """whether digits are of segments, so that one without one of them may be another digit"""


def digit(cell: U8, label: int, layout: Layout) -> U8 | None:
    """The ink of the digit `label` near the middle of a cell, uint8 [h, w] cropped; None where nothing is plausible."""
    strength = _strength(cell, layout)
    if strength is None:
        return None
    otsu = _otsu(strength)
    frame = round(layout.frame * min(strength.shape))
    strength = strength[frame : strength.shape[0] - frame, frame : strength.shape[1] - frame]
    for level in _LEVELS:
        own = _strokes(strength, max(level * otsu, _FAINT), label, layout)
        if own is not None and (not layout.segments or _is_all(strength, own, _PALE * otsu)):
            return _cut_out(strength, own, level * otsu)
    return None


def _strength(cell: U8, layout: Layout) -> U8 | None:
    """The cell divided by its background as the box does it; None where light ink is as likely as dark."""
    grey = u8(cv2.GaussianBlur(cell, (3, 3), 0))
    dark = dark_ink(grey, grey).strength
    if not layout.light:
        return dark
    inverse = u8(cv2.bitwise_not(grey))
    light = dark_ink(inverse, inverse).strength
    one, other = _contrast(grey, dark), _contrast(inverse, light)
    share = other / max(one + other, 1.0)
    if abs(share - 0.5) < _EVEN:
        return None
    return light if share > 0.5 else dark


def _contrast(grey: U8, strength: U8) -> float:
    """How much ink there is in the middle of a cell: grey levels that are missing of its paper, squared. As shares of
    the paper, those of a dark ground would count too much.
    """
    h, w = grey.shape
    middle = (slice(round(0.15 * h), round(0.85 * h)), slice(round(0.2 * w), round(0.8 * w)))
    share = np.minimum(strength[middle], 254).astype(np.float32)
    missing = np.minimum(grey[middle] * share / (255 - share), 255.0 - grey[middle])
    return float((missing * missing).sum())


def _otsu(strength: U8) -> float:
    """Otsu's threshold, but for what is near the rim, where a frame may be: over a page it would be another, but a
    digit fills its cell.
    """
    h, w = strength.shape
    inner = strength[round(0.12 * h) : round(0.88 * h), round(0.12 * w) : round(0.88 * w)]
    return cv2.threshold(np.ascontiguousarray(inner), 0, 255, cv2.THRESH_OTSU)[0]


def _strokes(strength: U8, level: float, label: int, layout: Layout) -> Mask | None:
    """The strokes above `level` that may be the digit. Frames and neighbours reach the rim: they are none of it."""
    height, width = strength.shape
    _, owner, stats, _ = cv2.connectedComponentsWithStats((strength > level).astype(np.uint8), connectivity=8)
    left, top, w, h, area = stats.T
    right, bottom = left + w, top + h
    free = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    free[0] = False  # paper
    near = free & (np.abs(left + right - width) < 2 * layout.off * width)
    near &= np.abs(top + bottom - height) < 0.64 * height
    if not near.any():
        return None
    own = np.zeros(len(stats), bool)
    own[np.argmax(np.where(near, area, -1))] = True
    free &= area >= np.maximum(3, _SPECK * area[own])
    while True:
        x0, y0, x1, y1 = left[own].min(), top[own].min(), right[own].max(), bottom[own].max()
        apart = np.maximum(np.maximum(left - x1, x0 - right), np.maximum(top - y1, y0 - bottom))
        joins = free & ~own & (apart < layout.apart * height)
        if not layout.apart or not joins.any():
            break
        own |= joins
    wide, tall = x1 - x0, y1 - y0
    narrowest = _NARROWEST_ONE if label == 1 else _NARROWEST
    if not layout.least * height <= tall <= _HIGH * height or not narrowest * tall <= wide <= _BROADEST * tall:
        return None
    if abs(x0 + x1 - width) > 2 * layout.off * width or abs(y0 + y1 - height) > 2 * _ASIDE * height:
        return None
    return np.asarray(own[owner], bool)


def _is_all(strength: U8, own: Mask, pale: float) -> bool:
    """Whether no ink above `pale` was left out between, above or below these strokes, as a pale segment or one that
    runs into a frame: without it an eight would be a nought, a nine a four.
    """
    x, y, w, h = cv2.boundingRect(own.astype(np.uint8))
    beside = round(_BESIDE * strength.shape[0])
    part = (slice(max(0, y - beside), y + h + beside), slice(x, x + w))
    rim = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8))[part] > 0
    return int(((strength[part] > pale) & ~rim).sum()) <= _LEFT_OUT * own.sum()


def _cut_out(strength: U8, own: Mask, level: float) -> U8:
    """The ink of these strokes with their soft rims, without others', cropped; 255 at their darkest."""
    others = cv2.dilate(((strength > level) & ~own).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    near = cv2.dilate(own.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    ink = np.where(near & (own | ~others), strength, 0).astype(np.float32)
    darkest = float(np.percentile(strength[own], 80))
    floor = _FLOOR * darkest
    return cropped(np.clip((ink - floor) * (255 / max(darkest - floor, 1.0)), 0, 255).astype(np.uint8))


def between(cell: U8, layout: Layout) -> U8 | None:
    """What a wheel shows in its window between two digits, the foot of one above the head of the next: uint8 [h, w],
    cropped; None where it is nothing that fills the window.
    """
    strength = _strength(cell, layout)
    if strength is None:
        return None
    level = _otsu(strength)
    height, width = strength.shape
    window = strength[round(0.19 * height) : round(0.81 * height), round(0.1 * width) : round(0.9 * width)]
    _, owner, stats, _ = cv2.connectedComponentsWithStats((window > max(level, _FAINT)).astype(np.uint8))
    left, w, area = stats[:, 0], stats[:, 2], stats[:, 4]
    own = (left > 0) & (left + w < window.shape[1]) & (area >= 3)
    own[0] = False
    mask = np.asarray(own[owner], bool)
    _, _, wide, tall = cv2.boundingRect(mask.astype(np.uint8))
    if tall < 0.9 * window.shape[0] or not 0.3 * tall <= wide <= tall:
        return None
    return _cut_out(window, mask, level)
