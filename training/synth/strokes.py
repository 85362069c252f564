"""The stroke model: one writer's hand, and the digits and marks it draws. Needs no data.

`draw_hand` draws a writer; `Hand.digit` writes a digit, a little differently each time.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from edge.arrays import F64, U8
from training.synth import glyphs, spline
from training.synth.span import Span, draw, draw_low

MARKS = (*glyphs.MARKS, "scribble")
"""What `Hand.mark` can draw."""

_STEPS = 7  # pieces of polyline between two points of a shape
_FINER = 3  # times that ink is drawn larger than it is handed out
_SHIFT = 4  # fractional bits of cv2's coordinates


@dataclass(frozen=True)
class HandStyle:
    """The ranges that writers are drawn from; lengths are in digit heights."""

    height: int = 80
    """pixels from the top to the foot of a digit, before the writer's own variation"""
    pen: Span = (0.045, 0.14)
    """width of the pen"""
    slant: Span = (-0.15, 0.4)
    """shear to the right per height"""
    aspect: Span = (0.8, 1.25)
    """widening of all digits"""
    roundness: Span = (0.0, 0.5)
    """how much corners are smoothed, 0 to 1"""
    habit: Span = (0.006, 0.022)
    """standard deviation of the points in what is the writer's own: the same each time"""
    jitter: Span = (0.004, 0.016)
    """standard deviation of the points in what differs each time"""
    tremor: Span = (0.0, 0.008)
    """standard deviation of the pen's shaking along the stroke"""
    pressure: Span = (0.0, 0.3)
    """how much the pen's width follows its direction and wanders, as a share of its width"""
    turn: Span = (0.0, 0.04)
    """standard deviation of each glyph's rotation, in radians"""
    uncommon: float = 0.0
    """share of digits that have one of `glyphs.UNCOMMON`'s shapes"""


@dataclass(frozen=True)
class Hand:
    """One writer. shapes: the writer's own strokes for 0 to 9; the rest: values from `HandStyle`'s ranges."""

    shapes: tuple[tuple[glyphs.Stroke, ...], ...]
    height: int
    pen: float
    slant: float
    aspect: float
    roundness: float
    jitter: float
    tremor: float
    pressure: float
    turn: float

    def digit(self, label: int, rng: np.random.Generator) -> U8:
        """uint8 [h, w], 0 paper to 255 ink, cropped to the ink: the digit `label` (0 to 9), once more."""
        return self._ink(self.shapes[label], rng)

    def mark(self, kind: str, rng: np.random.Generator) -> U8:
        """uint8 [h, w] as `digit`: one of `MARKS`, which are no digits."""
        if kind == "scribble":
            points = rng.uniform((0, 0), (0.8, 1), (int(rng.integers(6, 14)), 2))
            return self._ink((glyphs.Stroke(points, ()),), rng)
        return self._ink(_shape(glyphs.MARKS[kind]), rng)

    def _ink(self, strokes: tuple[glyphs.Stroke, ...], rng: np.random.Generator) -> U8:
        scale = self.height * _FINER
        angle = rng.normal(0, self.turn)
        # Digit heights to pixels: widen, slant about the foot, turn.
        lean = np.array([[self.aspect, -self.slant], [0, 1]])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        to_pixels = (turn @ lean).T * scale
        lines = [self._line(stroke, rng) @ to_pixels for stroke in strokes]
        pen = max(self.pen * scale, 1.5 * _FINER)
        widths = [self._widths(line, pen, rng) for line in lines]

        reach = pen * (1 + self.pressure) / 2 + _FINER
        low = np.min([line.min(0) for line in lines], 0) - reach
        high = np.max([line.max(0) for line in lines], 0) + reach
        size = np.ceil((high - low) / _FINER).astype(int)
        large = np.zeros((size[1] * _FINER, size[0] * _FINER), np.uint8)
        for line, width in zip(lines, widths, strict=True):
            _draw(large, line - low, width)
        ink = cv2.resize(large, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
        return cropped(ink)

    def _line(self, stroke: glyphs.Stroke, rng: np.random.Generator) -> F64:
        points = stroke.points + rng.normal(0, self.jitter, stroke.points.shape)
        # A stroke begun anew lands a little off.
        points += rng.normal(0, self.jitter, 2)
        line: F64 = spline.basis(len(points), stroke.corners, _STEPS, self.roundness) @ points
        return line + _wander(len(line), 4, rng) * self.tremor

    def _widths(self, line: F64, pen: float, rng: np.random.Generator) -> F64:
        step = np.diff(line, axis=0)
        down = step[:, 1] / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-6)
        swing = 0.5 * down + 0.35 * _wander(len(step), 12, rng)[:, 0]
        return pen * (1 + self.pressure * np.clip(swing, -1, 1))


def draw_hand(rng: np.random.Generator, style: HandStyle = HandStyle()) -> Hand:
    """A writer, drawn from `style`: mostly thin pens and few extremes, as in a pile of real forms."""
    habit = draw(style.habit, rng)
    shapes = []
    for label, common in glyphs.DIGITS.items():
        variants = glyphs.UNCOMMON[label] if style.uncommon and rng.random() < style.uncommon else common
        names = list(variants)
        strokes = _shape(variants[names[int(rng.integers(len(names)))]])
        shapes.append(tuple(glyphs.Stroke(s.points + rng.normal(0, habit, s.points.shape), s.corners) for s in strokes))
    return hand_of(tuple(shapes), rng, style)


def hand_of(
    shapes: tuple[tuple[glyphs.Stroke, ...], ...], rng: np.random.Generator, style: HandStyle = HandStyle()
) -> Hand:
    """A writer who draws 0 to 9 as `shapes`, with the pen and manner drawn from `style`."""
    return Hand(
        shapes=shapes,
        height=style.height,
        pen=draw_low(style.pen, rng),
        slant=draw(style.slant, rng),
        aspect=draw(style.aspect, rng),
        # In steps, so that the splines' matrices are found in their cache.
        roundness=round(draw(style.roundness, rng) * 10) / 10,
        jitter=draw(style.jitter, rng),
        tremor=draw(style.tremor, rng),
        pressure=draw(style.pressure, rng),
        turn=draw(style.turn, rng),
    )


def cropped(ink: U8, threshold: int = 32) -> U8:
    """`ink` cut to the box of its pixels darker than `threshold`; as it is where there are none."""
    x, y, w, h = ink_box(ink, threshold)
    return ink[y : y + h, x : x + w] if w else ink


def ink_box(ink: U8, threshold: int = 32) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the pixels of uint8 `ink` [h, w] above `threshold`; all 0 if none are."""
    x, y, w, h = cv2.boundingRect((ink > threshold).astype(np.uint8))
    return int(x), int(y), int(w), int(h)


@cache
def _shape(notation: str) -> tuple[glyphs.Stroke, ...]:
    return glyphs.parse(notation)


def _wander(count: int, spacing: int, rng: np.random.Generator) -> F64:
    """float64 [count, 2] of about unit deviation that changes over `spacing` steps."""
    between = _between(count, spacing)
    wander: F64 = between @ rng.standard_normal((between.shape[1], 2))
    return wander


@cache
def _between(count: int, spacing: int) -> F64:
    """float64 [count, knots]: linear interpolation between knots that are `spacing` steps apart."""
    at = np.arange(count)[:, None] / spacing
    knots = np.arange(count // spacing + 2)
    weights: F64 = np.maximum(1 - np.abs(at - knots), 0)
    return weights


def _draw(picture: U8, line: F64, widths: F64) -> None:
    points = np.round(line * (1 << _SHIFT)).astype(np.int32)
    whole = np.maximum(np.round(widths), 1).astype(int)
    starts = [0, *(np.flatnonzero(np.diff(whole)) + 1), len(whole)]
    for first, end in pairwise(starts):
        cv2.polylines(picture, [points[first : end + 1]], False, 255, int(whole[first]), cv2.LINE_8, shift=_SHIFT)
