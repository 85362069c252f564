"""Whether a picture shows anything that the last one read did not: one that does not need not be read."""

import cv2
import numpy as np

from edge.arrays import F32, U8

_WIDTH = 160  # cells; noise is averaged away in each, and a pen's stroke still darkens one
# Grey levels by which a cell has to differ, after the whole picture's brightening is taken off. Noise of sigma 8, as in
# a dim room, moves the cells of a 1280x720 picture by 5 at most; a thin digit 30 levels darker than its paper moves one
# by 25 (tests/edge/test_changes.py).
_LEAST = 6.0


class Changes:
    """Remembers the picture that was read last, small."""

    def __init__(self) -> None:
        self._read: F32 | None = None

    def since_read(self, image: U8) -> bool:
        """Whether there is something new in a picture, uint8 [H, W, 3] or [H, W]; always, where none was read yet or
        its size is another.
        """
        cells = _cells(image)
        if self._read is None or self._read.shape != cells.shape:
            return True
        moved = cells - self._read
        return bool(np.abs(moved - np.median(moved)).max() >= _LEAST)

    def read(self, image: U8) -> None:
        """Remembers this one."""
        self._read = _cells(image)

    def forget(self) -> None:
        self._read = None


def _cells(image: U8) -> F32:
    size = _WIDTH, max(1, round(image.shape[0] * _WIDTH / image.shape[1]))
    # Of a picture as wide as that or less every pixel is a cell.
    small = image if image.shape[1] <= _WIDTH else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return np.asarray(grey, np.float32)
