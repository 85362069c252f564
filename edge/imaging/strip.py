"""The strip a sequence model sees: a whole row, level, its digits of one height."""

import cv2
import numpy as np

from edge.arrays import U8, u8
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


def strip(ink: Ink, left: float, right: float, middle: float, height: float) -> U8:
    """One level row -> uint8 [HEIGHT, W], 0 paper to 255 as dark as the row's own ink; W a multiple of 4.

    left, right: of the row's strokes; middle: of its digits, from the top; height: of its digits; all in pixels of
    `ink`. Nothing is masked: what a threshold takes for paper, a faint stroke, is still there.
    """
    scale = DIGIT / height
    wide = width(left, right, height)
    left -= BESIDE * height
    top = middle - HEIGHT / 2 / scale
    x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x1 = min(ink.strength.shape[1], int(np.ceil(left + wide / scale)) + 1)
    y1 = min(ink.strength.shape[0], int(np.ceil(top + HEIGHT / scale)) + 1)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((HEIGHT, wide), np.uint8)
    part = u8(ink.strength[y0:y1, x0:x1])
    counts = np.cumsum(cv2.calcHist([part], [0], ink.mask[y0:y1, x0:x1], [256], [0, 256]).ravel())
    if not counts[-1]:
        return np.zeros((HEIGHT, wide), np.uint8)
    level = max(32.0, float(np.searchsorted(counts, counts[-1] - counts[-1] // 5)))  # a fifth is darker
    size = 1.0  # of the part, once it is shrunk
    if scale < 0.6:  # a warp alone would skip pixels
        part = shrunk(part, scale)
        size = scale
    place = np.array([[scale / size, 0, (x0 - left) * scale], [0, scale / size, (y0 - top) * scale]])
    placed = cv2.warpAffine(part, place, (wide, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return u8(cv2.convertScaleAbs(placed, alpha=255 / level))
