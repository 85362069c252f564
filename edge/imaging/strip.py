"""The strip a sequence model sees: a whole row, level, its digits of one height."""

from dataclasses import replace

import cv2
import numpy as np

from edge.arrays import F64, U8, u8
from edge.imaging.ink import Ink
from edge.imaging.scaling import shrunk

PREPROCESSING = 1
"""Raised when `strip` changes what models see; a model file made for another version is refused."""

HEIGHT = 32  # pixels of a strip
DIGIT = 20  # pixels of a digit's height in it: room above and below for tall ones and rows that waver
# Of the digits' height, paper that is kept left and right of the row's first and last stroke: pale ends stay whole.
# On 150 pictures of each kind of `benchmarks.accuracy --split validation` 0.4, 0.7 and 1.0 read 86.8, 86.3 and 88.0 %.
BESIDE = 1.0
LONGEST = 1024  # pixels; a longer row is cut off, nobody writes a hundred digits in one


def column(step: np.ndarray, left: float, height: float, pixels: int) -> np.ndarray:
    """Where in the picture a strip's steps of `pixels` begin; left, height: as `strip` takes them."""
    return left + height * (step * (pixels / DIGIT) - BESIDE)


def width(left: float, right: float, height: float) -> int:
    """Pixels of a row's strip; left, right, height: as `strip` takes them."""
    return min(max(round(((right - left) / height + 2 * BESIDE) * DIGIT / 4), 2), LONGEST // 4) * 4


def strip(ink: Ink, left: float, right: float, middle: float, height: float, back: F64 | None = None) -> U8:
    """One level row -> uint8 [HEIGHT, W], 0 paper to 255 as dark as the row's own ink; W a multiple of 4.

    left, right: of the row's strokes; middle: of its digits, from the top; height: of its digits; all in pixels of
    the row made level; back: float64 [2, 3] from there to `ink`'s pixels, None where they are the same. Nothing is
    masked: what a threshold takes for paper, a faint stroke, is still there.
    """
    pixel = height / DIGIT  # of the strip, in pixels of the row
    wide = width(left, right, height)
    left, top = left - BESIDE * height, middle - HEIGHT / 2 * pixel
    to_ink = np.array([[pixel, 0, left], [0, pixel, top]])
    if back is not None:
        to_ink = back[:, :2] @ to_ink + [[0, 0, back[0, 2]], [0, 0, back[1, 2]]]
    seen, x0, y0 = shown_by(ink, to_ink, wide, HEIGHT)
    part = seen.strength
    counts = np.cumsum(cv2.calcHist([part], [0], seen.mask, [256], [0, 256]).ravel()) if part.size else np.zeros(1)
    if not counts[-1]:
        return np.zeros((HEIGHT, wide), np.uint8)
    level = max(32.0, float(np.searchsorted(counts, counts[-1] - counts[-1] // 5)))  # a fifth is darker
    to_ink[:, 2] -= x0, y0
    if pixel > 1 / 0.6:  # a warp alone would skip pixels
        part = shrunk(part, 1 / pixel)
        to_ink /= pixel
    placed = cv2.warpAffine(part, to_ink, (wide, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return u8(cv2.convertScaleAbs(placed, alpha=255 / level))


def shown_by(ink: Ink, to_ink: F64, wide: int, high: int) -> tuple[Ink, int, int]:
    """The part of a picture's ink that a warp of `wide` by `high` pixels takes its own from, empty where that lies
    outside; and where in the picture its left upper corner is, x and y. to_ink: float64 [2, 3], from the warp's pixels.
    """
    corners = to_ink @ np.array([[0, wide, 0, wide], [0, 0, high, high], [1, 1, 1, 1]])
    x0, y0 = np.maximum(np.floor(corners.min(1)).astype(int), 0).tolist()
    x1, y1 = np.maximum(np.ceil(corners.max(1)).astype(int) + 1, 0).tolist()
    return replace(ink, strength=u8(ink.strength[y0:y1, x0:x1]), mask=u8(ink.mask[y0:y1, x0:x1])), x0, y0
