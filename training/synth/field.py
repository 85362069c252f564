"""A row on its paper as a form's field cut out, and the strip that the box would make of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.imaging.ink import dark_ink
from edge.imaging.strip import strip


@dataclass(frozen=True)
class Field:
    """A small picture of one row.

    grey: uint8 [h, w], its ink darker than its paper; text: its digits, left to right; left, right: of all that is
    written in the row, middle, tall: of its digits, pixels.
    """

    grey: U8
    text: str
    left: float
    right: float
    middle: float
    tall: float

    def strip(self, rng: np.random.Generator) -> U8:
        """uint8 [32, W] as `edge.imaging.strip` gives it. The box measures rows by their strokes, and not exactly; now
        and then it takes other strokes for the digits.
        """
        seen = dark_ink(u8(cv2.GaussianBlur(self.grey, (3, 3), 0)), self.grey)
        far = rng.random() < 0.25
        ends = 0.15 if rng.random() < 0.6 else 0.5
        return strip(
            seen,
            self.left - abs(rng.normal(0, ends)) * self.tall,
            self.right + abs(rng.normal(0, ends)) * self.tall,
            self.middle + rng.normal(0, 0.16 if far else 0.05) * self.tall,
            self.tall * float(np.exp(rng.normal(0, 0.28 if far else 0.1))),
        )
