"""The crop a model sees: one digit, sized and centred as MNIST's digits are.

MNIST (LeCun et al., "Gradient-based learning applied to document recognition", 1998): the digit's longest side is
scaled to 20 pixels, its shape kept, and the whole is shifted by whole pixels so that the centre of mass lies at the
middle of 28x28. Measured on the 60,000 training digits: longest side 20 in all but 13, centre of mass 14.0 +- 0.3.
"""

import cv2
import numpy as np

from edge.arrays import U8, u8

PREPROCESSING = 1
"""Raised when `normalise` changes what models see; a model file made for another version is refused."""

SIDE = 28
LONGEST = 20
CENTRE = 14.0  # pixel index of the centre of mass, both ways


def normalise(ink: U8) -> U8:
    """One digit's ink -> its crop.

    ink: uint8 [h, w], 0 paper to 255 full ink, any size from 1x1; paper round the ink does not matter.
    Returns uint8 [28, 28], 0 paper to 255 ink; all zero where there is no ink.
    """
    crop = np.zeros((SIDE, SIDE), np.uint8)
    x, y, w, h = cv2.boundingRect(ink)
    if w == 0:
        return crop
    ink = ink[y : y + h, x : x + w]
    scale = LONGEST / max(w, h)
    if scale != 1:
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        ink = u8(cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
    h, w = ink.shape

    # Pencil and thin pens come out pale: full ink is what the digit's own darkest pixels are.
    darkest = int(ink.max())
    if 0 < darkest < 255:
        ink = u8(cv2.convertScaleAbs(ink, alpha=255 / darkest))

    columns, rows = ink.sum(0, dtype=np.float64), ink.sum(1, dtype=np.float64)
    mass = columns.sum()
    if mass == 0:
        return crop
    left = _start(float(columns @ np.arange(w)) / mass, w)
    top = _start(float(rows @ np.arange(h)) / mass, h)
    crop[top : top + h, left : left + w] = ink
    return crop


def normalise_all(inks: list[U8]) -> U8:
    """`normalise` for each of N inks: uint8 [N, 28, 28]."""
    crops = np.empty((len(inks), SIDE, SIDE), np.uint8)
    for crop, ink in zip(crops, inks, strict=True):
        crop[:] = normalise(ink)
    return crops


def _start(centre_of_mass: float, length: int) -> int:
    """First pixel of a digit of `length` pixels, so that its centre of mass falls on CENTRE and it stays inside."""
    return min(max(round(CENTRE - centre_of_mass), 0), SIDE - length)
