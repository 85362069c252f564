"""Water meters' counters put together of photographed wheels: what the benchmark measures meters by, as no set of whole
counters is free. Of a counter's wheels each is another meter's, of about one brightness and polarity. Those to learn
from are put together in `training.synth.counters`, otherwise.
"""

from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8, u8
from training.cells import wheels_at_rest
from training.synth import camera

_WHEELS = (4, 8)  # of a counter
_TALL = (36, 110)  # pixels of a wheel's window
_WIDE = (0.6, 0.85)  # of its height
_APART = (0.08, 0.4)  # likewise, between windows
_LIKE = 40  # wheels most like the first that the others are drawn from


class MeterSource:
    """images: uint8 [N, side, side] of single wheels; labels: int64 [N], 0 to 9."""

    def __init__(self, images: U8, labels: np.ndarray) -> None:
        self._images, self._labels = images, labels
        # How bright the wheel is, and how bright and contrasting its middle, where the digit stands.
        side = images.shape[1]
        middle = images[:, side // 5 : -side // 5, side // 4 : -side // 4].reshape(len(images), -1).astype(np.float32)
        edge = images[:, :, : side // 8].reshape(len(images), -1).astype(np.float32)
        self._looks = np.stack([np.median(edge, 1), middle.mean(1), middle.std(1)], 1)

    def wheels(self, rng: np.random.Generator) -> tuple[U8, str]:
        """Of one counter: uint8 [n, side, side], left to right, and their digits."""
        looks = self._looks
        away = np.abs(looks - looks[rng.integers(len(looks))]).sum(1)
        chosen = rng.choice(np.argsort(away)[:_LIKE], int(rng.integers(_WHEELS[0], _WHEELS[1] + 1)))
        return u8(self._images[chosen]), "".join(map(str, self._labels[chosen]))

    def counter(self, rng: np.random.Generator) -> tuple[U8, str]:
        """uint8 [h, w, 3] blue-green-red, and the digits."""
        wheels, text = self.wheels(rng)
        tall = float(np.exp(rng.uniform(*np.log(_TALL))))
        wide, gap = tall * rng.uniform(*_WIDE), tall * rng.uniform(*_APART)
        body = float(rng.uniform(15, 90) if rng.random() < 0.7 else rng.uniform(120, 220))
        margins = rng.uniform(0.4, 2.5, 4) * tall
        size = round(margins[0] + len(wheels) * (wide + gap) + margins[1]), round(margins[2] + tall + margins[3])
        grey = np.full(size[::-1], body, np.float32) + cv2.resize(
            rng.normal(0, 6, (4, 6)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC
        )
        face = np.clip(grey, 0, 255).astype(np.uint8)
        for k, shown in enumerate(wheels):
            x, y = round(margins[0] + k * (wide + gap)), round(margins[2])
            wheel = u8(cv2.resize(shown, (round(wide), round(tall)), interpolation=cv2.INTER_CUBIC))
            face[y : y + wheel.shape[0], x : x + wheel.shape[1]] = wheel
        angle = float(np.radians(rng.uniform(-4, 4)))
        frame = (round(size[0] * 1.1), round(size[1] * 1.2))
        middle = (frame[0] / 2, frame[1] / 2)
        pose = camera.sheet_pose(size, frame, middle, angle, float(rng.uniform(0, 0.1)), rng)
        background = np.full((frame[1], frame[0], 3), int(body), np.uint8)
        image = camera.seen(np.repeat(face[:, :, None], 3, axis=2), pose, background)
        light = camera.Lighting(shadow=0.0)
        optics = camera.Optics(defocus=(0, 0.6), motion=(0, 0), noise=(0.3, 3))
        return camera.photographed(image, rng, light, optics), text


def learnt_meters(data_dir: Path | None, share: float, seed: int) -> MeterSource:
    """Of the wheels that the row model may learn from. Arguments and errors as those of `cells.wheels_at_rest`."""
    return MeterSource(*wheels_at_rest(data_dir, share, seed, held_out=False))


def held_out_meters(data_dir: Path | None, share: float, seed: int) -> tuple[MeterSource, MeterSource]:
    """Of wheels that the row model did not learn from: to choose by, and to measure by, every other one. Arguments and
    errors as those of `cells.wheels_at_rest`.
    """
    images, labels = wheels_at_rest(data_dir, share, seed, held_out=True)
    return MeterSource(images[::2], labels[::2]), MeterSource(images[1::2], labels[1::2])
