"""What people make of the digits: every seven of a row leans and swings alike, and unlike the next person's; noughts
shrink in a hurry, ones are long, short or bent.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.arrays import F32, U8, u8
from training.synth.banks import HEIGHT, Glyph
from training.synth.strokes import cropped

_KNOTS = 4  # of the grid that bends a digit, each way
_ROOM = 0.2  # of the longer side, round the ink, for what is bent outwards


@dataclass
class Manner:
    """strength: 0 leaves digits as they are; 1 bends them about as far as they can still be told. Drawn label by label
    as they come, each the same way each time.
    """

    strength: float
    rng: np.random.Generator
    _moves: dict[int, F32] = field(default_factory=dict)

    def bent(self, label: int, ink: U8) -> U8:
        """uint8 [h, w] -> uint8 [h', w'], cropped, of about the same size."""
        if self.strength <= 0:
            return ink
        if label not in self._moves:
            self._moves[label] = self._drawn()
        h, w = ink.shape
        side = max(h, w)
        pad = round(_ROOM * side) + 1
        size = (w + 2 * pad, h + 2 * pad)
        x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
        move = cv2.resize(self._moves[label], size, interpolation=cv2.INTER_CUBIC) * np.float32(side)
        out = cv2.remap(ink, x + move[..., 0] - pad, y + move[..., 1] - pad, cv2.INTER_LINEAR)
        return cropped(u8(out))

    def _drawn(self) -> F32:
        """float32 [knots, knots, 2]: how far from its place each part of a digit is fetched, in its longer sides."""
        rng, strength = self.rng, self.strength
        turn, slant, wide = rng.normal(0, (0.09, 0.12, 0.12)) * strength
        at = np.linspace(-0.5, 0.5, _KNOTS)
        x, y = np.meshgrid(at, at)
        move = rng.normal(0, 0.028 * strength, (_KNOTS, _KNOTS, 2))
        move[..., 0] += wide * x + (slant + turn) * y
        move[..., 1] -= turn * x
        return move.astype(np.float32)


@dataclass(frozen=True)
class Noughts:
    """Noughts after the first digit, as people in a hurry write them: small, flat, above the line.

    tall, wide: of a nought; raised: heights of a digit above its foot.
    """

    tall: float
    wide: float
    raised: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Noughts":
        """One writer's."""
        tall = rng.uniform(0.28, 0.8)
        # The lower, the flatter: a nought that is two thirds as wide as tall becomes up to twice as wide.
        flat = rng.uniform(0.9, 2.8 if tall < 0.6 else 1.8)
        return cls(tall, tall * flat, rng.uniform(0, 0.35))

    def small(self, glyph: Glyph, rng: np.random.Generator) -> Glyph:
        """The writer's nought, made such a one."""
        small = resized(glyph, self.wide * rng.uniform(0.85, 1.15), self.tall * rng.uniform(0.85, 1.15))
        return Glyph(small.ink, -self.raised * HEIGHT)


def odd_one(glyph: Glyph, rng: np.random.Generator) -> Glyph:
    """A one as no other digit is written: a long stroke, from above the others or to below them, a short one, or one
    bent like a bracket.
    """
    if rng.random() < 0.25:
        return Glyph(_bowed(glyph.ink, rng.uniform(0.08, 0.24) * rng.choice([-1, 1])), glyph.foot)
    tall = rng.uniform(1.1, 1.8) if rng.random() < 0.75 else rng.uniform(0.55, 0.9)
    long = resized(glyph, rng.uniform(0.8, 1.3), tall)
    return Glyph(long.ink, glyph.foot + rng.uniform(0, 0.7) * (tall - 1) * HEIGHT)


def _bowed(ink: U8, far: float) -> U8:
    """The ink with its middle pushed to the right by `far` of its height, to the left where that is negative."""
    h, w = ink.shape
    push = far * h * (1 - np.linspace(-1, 1, h, dtype=np.float32) ** 2)
    pad = int(np.ceil(abs(far) * h))
    x, y = np.meshgrid(np.arange(w + 2 * pad, dtype=np.float32) - pad, np.arange(h, dtype=np.float32))
    return cropped(u8(cv2.remap(ink, x - push[:, None].astype(np.float32), y, cv2.INTER_LINEAR)))


def resized(glyph: Glyph, wide: float, tall: float) -> Glyph:
    """The glyph so many times as wide and as tall; where it stands stays."""
    ink = u8(
        cv2.resize(glyph.ink, None, fx=wide, fy=tall, interpolation=cv2.INTER_AREA if tall < 1 else cv2.INTER_LINEAR)
    )
    return Glyph(ink, glyph.foot)
