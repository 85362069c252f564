"""Where digits come from: a source draws writers, a writer writes all digits of a row."""

from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from edge.arrays import U8
from training.mnist import Mnist
from training.synth.span import Span, draw
from training.synth.strokes import HandStyle, cropped, draw_hand


class Writer(Protocol):
    """One person."""

    def digit(self, label: int, rng: np.random.Generator) -> U8:
        """uint8 [h, w], 0 paper to 255 ink, cropped to the ink: one digit, 0 to 9."""


class DigitSource(Protocol):
    """A population of writers."""

    def writer(self, rng: np.random.Generator) -> Writer:
        """One of them."""


@dataclass(frozen=True)
class StrokeSource:
    """Writers of the stroke model, drawn from `style`."""

    style: HandStyle = field(default_factory=HandStyle)

    def writer(self, rng: np.random.Generator) -> Writer:
        return draw_hand(rng, self.style)


@dataclass(frozen=True)
class MnistWriter:
    """One of MNIST's writers.

    images: uint8 [N, 28, 28]; picks: for each label the indices of the digits that this writer may use.
    scale: enlargement; size_jitter: standard deviation of each digit's size; contrast: 1 leaves the enlarged
    ink as soft as it is, more makes its edge as sharp as a pen's at that size.
    """

    images: U8
    picks: tuple[np.ndarray, ...]
    scale: float
    size_jitter: float
    contrast: float

    def digit(self, label: int, rng: np.random.Generator) -> U8:
        image = self.images[rng.choice(self.picks[label])]
        scale = self.scale * (1 + rng.normal(0, self.size_jitter))
        large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        # About mid-grey, so that the edge stays where it was.
        sharp = np.clip((large.astype(np.float32) - 110) * self.contrast + 110, 0, 255).astype(np.uint8)
        return cropped(sharp)


@dataclass(frozen=True)
class SetWriter:
    """A font, or whatever else draws each digit in one way."""

    digits: tuple[U8, ...]

    def digit(self, label: int, rng: np.random.Generator) -> U8:
        return self.digits[label]


@dataclass(frozen=True)
class SetSource:
    """Fonts' digits: uint8 [h, w] for 0 to 9 each."""

    fonts: tuple[tuple[U8, ...], ...]

    def writer(self, rng: np.random.Generator) -> SetWriter:
        return SetWriter(self.fonts[int(rng.integers(len(self.fonts)))])


class MnistSource:
    """MNIST's writers, by QMNIST's ids; without them every writer is drawn from all digits."""

    def __init__(
        self,
        data: Mnist,
        *,
        least: int = 8,
        height: int = 72,
        size_jitter: float = 0.04,
        contrast: Span = (1.0, 3.0),
    ) -> None:
        """least: digits a writer must have; height: pixels of MNIST's longest side, 20, once enlarged."""
        self._images = data.images
        self._height, self._size_jitter, self._contrast = height, size_jitter, contrast
        writers = np.zeros(len(data), np.int64) if data.writers is None else data.writers.astype(np.int64)
        order = np.lexsort((data.labels, writers))
        keys = writers[order] * 10 + data.labels[order]
        cuts = np.flatnonzero(np.diff(keys)) + 1
        groups = np.split(order, cuts)
        self._of = dict(zip(keys[np.concatenate([[0], cuts])].tolist(), groups, strict=True))
        ids, counts = np.unique(writers, return_counts=True)
        self._writers = ids[counts >= least]
        if not len(self._writers):
            raise ValueError(f"no writer has {least} digits")
        self._having = tuple(
            np.array([w for w in ids.tolist() if w * 10 + label in self._of], np.int64) for label in range(10)
        )
        if any(not len(having) for having in self._having):
            raise ValueError("some digit of 0 to 9 is missing")

    def writer(self, rng: np.random.Generator) -> Writer:
        """A writer who has enough digits; for a label they never wrote, another writer lends theirs."""
        own = int(rng.choice(self._writers))
        picks = []
        for label, having in enumerate(self._having):
            lender = int(rng.choice(having))
            key = own * 10 + label
            picks.append(self._of[key if key in self._of else lender * 10 + label])
        return MnistWriter(
            self._images,
            tuple(picks),
            scale=self._height / 20,
            size_jitter=self._size_jitter,
            contrast=draw(self._contrast, rng),
        )
