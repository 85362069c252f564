"""What happens to a digit between the pen and the crop: another hand, another pen, a camera.

Each step works on one digit's ink, uint8 [h, w], 0 paper to 255 ink, and draws from the generator it is given. The
ranges are what the box meets, not what one data set holds.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import U8

CANVAS = 48  # pixels a side that digits are bent on
DRAWN = 32  # pixels of a digit's longest side there, before it is stretched
_Y, _X = (np.mgrid[0:CANVAS, 0:CANVAS] - (CANVAS - 1) / 2).astype(np.float32)


@dataclass(frozen=True)
class Augmentation:
    """Each range is what a uniform draw goes to, both ways unless it says otherwise.

    turn: degrees. slant: horizontal shift by height. stretch: natural logarithm of width over height.
    bend: pixels of the canvas, standard deviation of a smooth displacement (Simard et al. 2003).
    pen: share of a digit's stroke that grows or shrinks, as levels of a blurred edge.
    blur: largest standard deviation, pixels of the canvas. noise: largest standard deviation, grey levels.
    coarse: smallest height in pixels a digit may have had on the sensor.
    """

    turn: float = 12.0
    slant: float = 0.35
    stretch: float = 0.25
    bend: float = 0.9
    pen: float = 0.42
    blur: float = 1.1
    noise: float = 12.0
    coarse: int = 14

    def __call__(self, ink: U8, rng: np.random.Generator) -> U8:
        """Returns uint8 [h', w'] with paper round the ink; ready for `edge.imaging.normalise`."""
        return self.photographed(self.redrawn(self.bent(ink, rng), rng), rng)

    def bent(self, ink: U8, rng: np.random.Generator) -> U8:
        """Turn, slant, stretch and bend on a canvas of CANVAS pixels a side."""
        h, w = ink.shape
        angle = np.deg2rad(rng.uniform(-self.turn, self.turn))
        slant = rng.uniform(-self.slant, self.slant)
        stretch = np.exp(rng.uniform(-self.stretch, self.stretch) / 2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shape = np.array([[stretch, -slant], [0, 1 / stretch]]) * (DRAWN / max(h, w))
        back = np.linalg.inv(turn @ shape).astype(np.float32)
        bends = rng.normal(0, self.bend, (5, 5, 2)).astype(np.float32)
        dx, dy = cv2.split(cv2.resize(bends, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC))
        x, y = _X + dx, _Y + dy
        map_x = back[0, 0] * x + back[0, 1] * y + np.float32((w - 1) / 2)
        map_y = back[1, 0] * x + back[1, 1] * y + np.float32((h - 1) / 2)
        return cv2.remap(ink, map_x, map_y, cv2.INTER_LINEAR)

    def redrawn(self, ink: U8, rng: np.random.Generator) -> U8:
        """The same strokes with a finer or broader pen: an edge blurred and cut at another level."""
        soft = cv2.GaussianBlur(ink, (5, 5), rng.uniform(0.6, 1.4))
        level = 128 + 204 * rng.uniform(-self.pen, self.pen)
        level = min(level, 0.5 * float(soft.max()))  # finer still, and strokes that the pen pressed little on break
        steep = rng.uniform(2.5, 10)
        return cv2.LUT(soft, np.clip(127 + (_LEVELS - level) * steep, 0, 255).astype(np.uint8))

    def photographed(self, ink: U8, rng: np.random.Generator) -> U8:
        """Seen by a sensor of few pixels, out of focus, with noise; and cleaned as the box does, by a threshold."""
        size = max(8, round(CANVAS * float(rng.uniform(self.coarse, 48)) / DRAWN))
        ink = cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA if size < CANVAS else cv2.INTER_LINEAR)
        sigma = rng.uniform(0, self.blur) * size / CANVAS
        if sigma > 0.3:
            ink = cv2.GaussianBlur(ink, (5, 5), sigma)
        noise = rng.normal(0, rng.uniform(0, self.noise), ink.shape).astype(np.float32)
        seen = cv2.convertScaleAbs(cv2.add(ink.astype(np.float32), noise), alpha=rng.uniform(0.3, 1.0))
        cut = rng.uniform(0.1, 0.35) * float(seen.max())
        return cv2.bitwise_and(seen, seen, mask=cv2.compare(cv2.blur(seen, (3, 3)), cut, cv2.CMP_GT))


GENTLE = Augmentation(turn=9, slant=0.18, stretch=0.15, bend=0.7)
"""For digits that stay as clean as MNIST's: only `bent`, and no further than they still look as MNIST's do."""

_LEVELS = np.arange(256, dtype=np.float32)
