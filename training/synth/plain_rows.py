"""Crops of single digits, put side by side on a plain page: rows of a hand of which only single digits are there."""

import cv2
import numpy as np

from edge.arrays import U8

HEIGHT = 84  # pixels of a crop on the page
_PAPER, _INK = 225.0, 0.75  # grey level; what full ink takes of 255


def plain_rows(
    crops: U8, labels: np.ndarray, names: tuple[str, ...], count: int, digits: int, rng: np.random.Generator
) -> list[tuple[U8, str]]:
    """`count` pages, uint8 [130, W] grey, of a row of `digits` each, and their texts.

    crops: uint8 [N, 28, 28], 0 paper to 255 ink, none without ink; labels: int64 [N], indices of `names`.
    """
    made = []
    for _ in range(count):
        chosen = rng.integers(len(crops), size=digits)
        page, left = np.full((130, 120 + digits * (HEIGHT + 16)), _PAPER), 60
        for crop in crops[chosen]:
            ink = cv2.resize(crop, (HEIGHT, HEIGHT), interpolation=cv2.INTER_CUBIC)
            there = np.flatnonzero(ink.max(0) > 30)
            ink = ink[:, there[0] : there[-1] + 1]
            page[23 : 23 + HEIGHT, left : left + ink.shape[1]] -= _INK * ink
            left += ink.shape[1] + int(rng.integers(6, 16))
        made.append((np.clip(page, 0, 255).astype(np.uint8), "".join(names[labels[i]] for i in chosen)))
    return made
