"""Counters of meters to learn from: wheels behind the windows of a plate, photographed ones and ones drawn of fonts'
digits, bright on dark or dark on bright, in either polarity of ink.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from edge.arrays import F32, U8, u8
from training.synth.banks import HEIGHT, Style
from training.synth.field import Field
from training.synth.meter import MeterSource
from training.synth.strip_photo import light, through_a_lens

_PHOTOGRAPHED = 0.6  # share of counters of photographed wheels
_WRONG = 0.2  # share whose ink is taken for the paper: the box may look at either, and their digits are as well read
_WHEELS = (3, 9)


class Counters:
    """meters: photographed wheels, None for none; fonts: printed digits that wheels are drawn of."""

    def __init__(self, meters: MeterSource | None, fonts: Sequence[Style]) -> None:
        self._meters, self._fonts = meters, fonts

    def field(self, rng: np.random.Generator) -> Field:
        """A counter from the front, cut out."""
        if self._meters is not None and (not self._fonts or rng.random() < _PHOTOGRAPHED):
            wheels, text = self._meters.wheels(rng)
        else:
            wheels, text = self._drawn(rng)
        tall = float(np.exp(rng.uniform(np.log(18), np.log(72))))  # pixels of a window
        wide = tall * rng.uniform(0.5, 0.95)
        apart = tall * (rng.uniform(0.02, 0.5) if rng.random() < 0.9 else 0.0)
        before, after = rng.uniform(0.1, 2.0, 2) * tall
        above, below = rng.uniform(0.05, 1.0, 2) * tall
        size = round(before + len(wheels) * (wide + apart) - apart + after), round(above + tall + below)
        face = np.full(size[::-1], _plate(wheels, rng), np.float32)
        windows = [(round(before + k * (wide + apart)), round(above)) for k in range(len(wheels))]
        framed = rng.random() < 0.25
        tone, thick = int(rng.uniform(0, 256)), max(1, round(tall * rng.uniform(0.02, 0.08)))
        for (x, y), wheel in zip(windows, wheels, strict=True):
            shown = cv2.resize(wheel, (round(wide), round(tall)), interpolation=cv2.INTER_AREA)
            y = max(0, y + round(rng.normal(0, 0.01) * tall))
            here = face[y : y + shown.shape[0], x : x + shown.shape[1]]
            here[:] = shown[: here.shape[0], : here.shape[1]]
            if framed:
                cv2.rectangle(face, (x, y), (x + shown.shape[1] - 1, y + shown.shape[0] - 1), tone, thick)
        middle = above + tall / 2
        turn = cv2.getRotationMatrix2D((size[0] / 2, middle), rng.normal(0, 1), 1.0)
        face = cv2.warpAffine(face, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if rng.random() < 0.6:
            face *= light(face.shape[0], face.shape[1], rng)
        # It may be measured by its digits, by its windows, or by what parts them.
        high = tall * rng.uniform(0.6, 1.0)
        spread = float(np.percentile(wheels, 95) - np.percentile(wheels, 5)) / 255
        grey = through_a_lens(np.asarray(face, np.float32), high, max(spread, 0.1), rng)
        if _is_light(wheels) != (rng.random() < _WRONG):
            grey = u8(cv2.bitwise_not(grey))
        return Field(grey, text, windows[0][0] + 0.1 * wide, windows[-1][0] + 0.9 * wide, middle, high)

    def _drawn(self, rng: np.random.Generator) -> tuple[U8, str]:
        """Wheels of one font: uint8 [n, 2 * HEIGHT, w], and their digits."""
        style = self._fonts[int(rng.integers(len(self._fonts)))]
        digits = rng.integers(0, 10, int(rng.integers(_WHEELS[0], _WHEELS[1] + 1)))
        paper, ink = rng.uniform(0, 255, 2)
        while abs(paper - ink) < 50:
            paper, ink = rng.uniform(0, 255, 2)
        tall, wide = 2 * HEIGHT, round(2 * HEIGHT * rng.uniform(0.6, 0.9))
        high, pitch = tall * rng.uniform(0.5, 0.85), tall * rng.uniform(0.95, 1.3)
        shading = 1 - rng.uniform(0, 0.5) * np.linspace(-1, 1, tall, dtype=np.float32)[:, None] ** 2
        wheels = []
        for digit in digits.tolist():
            roll = rng.normal(0, 0.02) if rng.random() < 0.7 else rng.uniform(-0.16, 0.16)
            cover = np.zeros((tall, wide), np.float32)
            for next_to in (-1, 0, 1):
                glyph = style.digits[(digit + next_to) % 10][0].ink
                _put(cover, glyph, high, tall * (0.5 + roll) + next_to * pitch)
            wheels.append((paper + (ink - paper) * cover) * shading)
        return u8(np.clip(np.stack(wheels), 0, 255).astype(np.uint8)), "".join(map(str, digits.tolist()))


def _put(cover: F32, glyph: U8, high: float, middle: float) -> None:
    """A digit `high` pixels high, its middle `middle` from the top of a wheel, float32 [tall, wide] of 0 to 1."""
    tall, wide = cover.shape
    scale = min(high / glyph.shape[0], 0.92 * wide / glyph.shape[1])
    place = np.array([[scale, 0, wide / 2 - scale * glyph.shape[1] / 2], [0, scale, middle - high / 2]])
    here = cv2.warpAffine(glyph, place, (wide, tall), flags=cv2.INTER_LINEAR)
    np.maximum(cover, here.astype(np.float32) / 255, out=cover)


def _plate(wheels: U8, rng: np.random.Generator) -> float:
    """How bright what is round the windows is."""
    way = rng.random()
    if way < 0.5:
        return float(rng.uniform(10, 90))
    if way < 0.8:
        return float(rng.uniform(120, 240))
    return float(np.clip(np.median(wheels) + rng.normal(0, 15), 0, 255))


def _is_light(wheels: U8) -> bool:
    """Whether their digits are brighter than what is round them, which is more of a wheel."""
    n, tall, wide = wheels.shape
    middle = wheels[:, tall // 6 : -tall // 6, wide // 6 : -wide // 6].reshape(n, -1).astype(np.float32)
    return bool(np.mean(middle.mean(1) - np.median(middle, 1)) > 0)
