"""One digit cut out of a picture, and what pictures are looked at for."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.arrays import F64, U8
from edge.imaging.ink import Ink, find_inks, find_local_inks

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True)
class Example:
    """ink: uint8 [h, w], 0 paper to 255 ink; box: in pixels of the picture."""

    ink: U8
    box: Box


def inks(grey: U8) -> Iterator[tuple[Ink, bool]]:
    """What may be a picture's ink, and whether it is its main one: each polarity, the likelier first; then each part
    of the picture by a threshold of its own.
    """
    yield from ((ink, True) for ink in find_inks(grey))
    yield from ((ink, False) for ink in find_local_inks(grey))


def outward(box: Box, scale: float, shape: tuple[int, ...], margin: int = 0, back: F64 | None = None) -> Box:
    """A box in pixels of the picture whose shape is `shape`.

    scale: pixels of the page the box is on per pixel of the picture; margin: in pixels of the picture, what that page
    has round it; back: float64 [2, 3], from a row that was made level to that page.
    """
    x, y, w, h = box
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
    if back is not None:
        corners = corners @ back[:, :2].T + back[:, 2]
    limits = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(corners.min(0) / scale - margin), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(corners.max(0) / scale - margin), low + 1, limits).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
