"""Digits of seven segments, as clocks, meters and scales show them. Needs no data."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import U8
from training.synth.span import Span, draw
from training.synth.strokes import cropped

_SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""Which segments 0 to 9 light: a at the top, then b to f clockwise, g in the middle."""

_BITS = 4  # fractional bits of cv2's coordinates


@dataclass(frozen=True)
class DisplayStyle:
    """The ranges that displays are drawn from; lengths are in digit heights."""

    height: int = 120
    """pixels"""
    width: Span = (0.45, 0.62)
    """of a digit"""
    breadth: Span = (0.08, 0.16)
    """of a segment"""
    gap: Span = (0.005, 0.035)
    """left at either end of a segment"""
    slant: Span = (0.0, 0.15)
    """shear to the right per height"""


@dataclass(frozen=True)
class Display:
    """One display: values from `DisplayStyle`'s ranges."""

    height: int
    width: float
    breadth: float
    gap: float
    slant: float

    def digit(self, label: int, rng: np.random.Generator) -> U8:
        """uint8 [h, w], 0 paper to 255 ink, cropped to the ink: the digit `label`, 0 to 9, always the same."""
        return self.lit(_SEGMENTS[label])

    def lit(self, segments: str) -> U8:
        """uint8 [h, w] as `digit`: the segments, a letter each."""
        tall, wide = self.height, self.width * self.height
        canvas = np.zeros((tall + 2, round(wide + self.slant * tall) + 2), np.uint8)
        for name in segments:
            points = self._outline(name)
            points[:, 0] += (tall - points[:, 1]) * self.slant
            cv2.fillPoly(canvas, [np.round(points * (1 << _BITS)).astype(np.int32)], 255, cv2.LINE_AA, _BITS)
        return cropped(canvas)

    def _outline(self, name: str) -> np.ndarray:
        """float64 [6, 2], x and y in pixels: a bar whose ends are pointed."""
        tall, wide, half = self.height, self.width * self.height, self.breadth * self.height / 2
        levels = {"top": half, "middle": tall / 2, "foot": tall - half}
        sides = {"left": half, "right": wide - half}
        ends = {
            "a": (("left", "top"), ("right", "top")),
            "b": (("right", "top"), ("right", "middle")),
            "c": (("right", "middle"), ("right", "foot")),
            "d": (("left", "foot"), ("right", "foot")),
            "e": (("left", "middle"), ("left", "foot")),
            "f": (("left", "top"), ("left", "middle")),
            "g": (("left", "middle"), ("right", "middle")),
        }[name]
        start, stop = (np.array([sides[side], levels[level]]) for side, level in ends)
        along = (stop - start) / np.linalg.norm(stop - start)
        across = np.array([-along[1], along[0]]) * half
        start, stop = start + along * self.gap * tall, stop - along * self.gap * tall
        inner = along * half
        return np.array(
            [start, start + inner + across, stop - inner + across, stop, stop - inner - across, start + inner - across]
        )


@dataclass(frozen=True)
class DisplaySource:
    """Displays, drawn from `style`."""

    style: DisplayStyle = DisplayStyle()

    def writer(self, rng: np.random.Generator) -> Display:
        style = self.style
        spans = (style.width, style.breadth, style.gap, style.slant)
        return Display(style.height, *(draw(span, rng) for span in spans))
