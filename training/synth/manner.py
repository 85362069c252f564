"""How one person bends the digits: every seven of a row leans and swings alike, and unlike the next person's."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.arrays import F32, U8, u8
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
