"""A row: the digits of a text, written by one writer on a line that wavers."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import I32, U8
from training.synth.sources import Writer
from training.synth.span import Span, draw
from training.synth.strokes import cropped, ink_box

INK = 32
"""Pixels above this count as ink where boxes and gaps are measured."""


@dataclass(frozen=True)
class Layout:
    """How a row is set; lengths are in digit heights."""

    clear: float = 0.08
    """ink of neighbours is nowhere nearer than this; negative: they may run into each other by as much"""
    gap: Span = (0.02, 0.4)
    """what a writer leaves beyond `clear`, between inks along the line"""
    gap_jitter: float = 0.06
    """standard deviation of one gap; gaps never get less than `clear`"""
    touching: float = 0.0
    """share of neighbours that run into each other, by up to `overlap`"""
    overlap: float = 0.15
    baseline: float = 0.03
    """standard deviation of a digit's foot about the line"""
    drift: float = 0.012
    """standard deviation of the line's change of direction from one digit to the next"""
    size: float = 0.05
    """standard deviation of a digit's size"""
    descend: float = 0.12
    """how far a row lets its 7 and 9, as some people do, hang below the line at most"""


@dataclass(frozen=True)
class InkRow:
    """ink: uint8 [h, w], 0 paper to 255 ink, cropped; boxes: int32 [n, 4], x, y, width, height of each."""

    ink: U8
    text: str
    boxes: I32


def write_row(text: str, writer: Writer, height: float, rng: np.random.Generator, layout: Layout = Layout()) -> InkRow:
    """`text` (digits) in digits of about `height` pixels."""
    glyphs = _sized([writer.digit(int(label), rng) for label in text], height, layout, rng)
    hang = rng.uniform(0, layout.descend) * height if rng.uniform() < 0.3 else 0.0
    feet = _feet(text, height, hang, layout, rng)
    tops = [round(foot) - glyph.shape[0] for foot, glyph in zip(feet, glyphs, strict=True)]
    tops = [top - min(tops) for top in tops]
    lefts = _lefts(glyphs, tops, height, layout, rng)

    bottom = max(top + glyph.shape[0] for top, glyph in zip(tops, glyphs, strict=True))
    right = max(left + glyph.shape[1] for left, glyph in zip(lefts, glyphs, strict=True))
    ink = np.zeros((bottom, right), np.uint8)
    boxes = []
    for glyph, left, top in zip(glyphs, lefts, tops, strict=True):
        h, w = glyph.shape
        here = ink[top : top + h, left : left + w]
        np.maximum(here, glyph, out=here)
        x, y, w, h = ink_box(glyph, INK)
        boxes.append((left + x, top + y, w, h))
    return InkRow(ink, text, np.array(boxes, np.int32))


def _sized(glyphs: Sequence[U8], height: float, layout: Layout, rng: np.random.Generator) -> list[U8]:
    # One scale for the row keeps the writer's own proportions: a small 0 stays small.
    scale = height / float(np.median([glyph.shape[0] for glyph in glyphs]))
    sized = []
    for glyph in glyphs:
        own = scale * float(np.clip(rng.normal(1, layout.size), 0.8, 1.2))
        size = (max(round(glyph.shape[1] * own), 2), max(round(glyph.shape[0] * own), 2))
        how = cv2.INTER_AREA if own < 1 else cv2.INTER_CUBIC
        sized.append(cropped(cv2.resize(glyph, size, interpolation=how), INK))
    return sized


def _feet(text: str, height: float, hang: float, layout: Layout, rng: np.random.Generator) -> list[float]:
    slope, line, feet = 0.0, 0.0, []
    for label in text:
        slope += rng.normal(0, layout.drift)
        line += slope
        feet.append(height * (line + rng.normal(0, layout.baseline)) + (hang if label in "79" else 0.0))
    return feet


def _lefts(
    glyphs: Sequence[U8], tops: Sequence[int], height: float, layout: Layout, rng: np.random.Generator
) -> list[int]:
    """Where each glyph starts, so that its ink keeps clear of all ink before it, in every direction."""
    gap = draw(layout.gap, rng)
    radius = int(np.ceil(max(layout.clear, 0) * height)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    bottom = max(top + glyph.shape[0] for top, glyph in zip(tops, glyphs, strict=True))
    far = -(1 << 20)
    reach = np.full(bottom + 2 * radius, far)  # the rightmost ink so far on each line of pixels
    lefts: list[int] = []
    end = 0
    for glyph, top in zip(glyphs, tops, strict=True):
        mask = cv2.copyMakeBorder(glyph, radius, radius, radius, radius, cv2.BORDER_CONSTANT, value=0)
        wide = cv2.dilate((mask > INK).astype(np.uint8), disc)
        lines = slice(top, top + wide.shape[0])
        starts = np.where(wide.any(1), wide.argmax(1), -far)
        touch = int(np.max(reach[lines] - starts)) + 1
        # A digit may lean over its neighbour, but not so far that the order of the two is in doubt.
        touch = max(touch + radius, end - round(0.25 * height))
        extra = gap + rng.normal(0, layout.gap_jitter)
        extra = max(extra, 0) if layout.clear >= 0 else extra + layout.clear
        left = touch + round(extra * height) if lefts else 0
        if lefts and layout.touching and rng.random() < layout.touching:
            left = max(touch - radius - round(rng.uniform(0, layout.overlap) * height), lefts[-1] + 2)
        lefts.append(left)
        ink = glyph > INK
        ends = np.where(ink.any(1), glyph.shape[1] - 1 - ink[:, ::-1].argmax(1) + left, far)
        own = slice(top + radius, top + radius + glyph.shape[0])
        reach[own] = np.maximum(reach[own], ends)
        end = max(end, left + glyph.shape[1])
    return lefts
