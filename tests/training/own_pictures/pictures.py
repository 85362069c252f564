"""Pictures of digits to learn from, and what came of them beside what was drawn."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import UsageError
from training.own_pictures import Crops, Origin, OwnPictures

DIGITS = [*"0123456789"]

Read = Callable[..., OwnPictures]


def on_paper(
    ink: np.ndarray, at: tuple[int, int], size: tuple[int, int], paper: float = 235, pen: float = 40
) -> np.ndarray:
    """uint8 [h, w]: ink (0 to 255) on paper of `size` (width, height), its top left corner at `at`."""
    page = np.full(size[::-1], paper, np.float32)
    (x, y), (h, w) = at, ink.shape
    page[y : y + h, x : x + w] += (pen - paper) * (ink / 255)
    return page.astype(np.uint8)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two crops, a pixel's shift aside."""
    shifts = [np.roll(other, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(one.ravel().astype(float), each.ravel().astype(float))[0, 1]) for each in shifts)


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Shared part of two boxes by what both cover."""
    (x, y, w, h), (a, b, c, d) = one, other
    shared = max(0, min(x + w, a + c) - max(x, a)) * max(0, min(y + h, b + d) - max(y, b))
    return shared / (w * h + c * d - shared)


def one_line(error: pytest.ExceptionInfo[UsageError], *words: str) -> None:
    message = str(error.value)
    assert "\n" not in message and ("; " in message or "add " in message), message
    assert all(word in message for word in words), message


def made(counts: dict[str, int], per_picture: int = 1) -> Crops:
    """Crops of which every `per_picture` of a label come from one picture."""
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 4:24, 12:16] = 255
    origins, names = [], [*counts]
    for label in range(len(counts)):
        for i in range(counts[names[label]]):
            origins.append(Origin(Path(f"{label}/{i // per_picture}.png"), (0, 0, 9, 9)))
    return Crops(images, labels.astype(np.int64), tuple(names), tuple(origins))
