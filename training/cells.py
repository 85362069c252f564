"""Digits as cameras see them: in the cells of sudokus, on LCD displays, on meters' wheels; cut out of their
photographs as ink.

Each set is one npz file in the data folder: `images` uint8 [N, side, side] grey as photographed, `labels` str [N],
and `parts` str [N]: "train" and "val" where the set says itself what is held out, "all" where it does not.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.arrays import F32, U8, u8
from edge.errors import ConfigError
from edge.imaging.ink import dark_ink
from training import mnist
from training.synth.strokes import cropped

_NEITHER, _REJECT = -1, -2  # of a cell: nothing to learn from; what is no digit
_LARGEST = 512 << 20  # bytes of a file, and of what is in it, unpacked; the largest of the three holds 54 MB
_SIDES = (16, 256)  # pixels that cells may be wide and high

# The numbers from here to `SETS` were chosen by eye, on sheets of some hundred cells of each set beside their inks.
_LEVELS = (0.5, 0.7, 1.0)  # of Otsu's threshold: pale strokes stay whole at the lowest, what touches parts higher up
_FAINT = 8  # of 255: below it nothing is ink
_EVEN = 0.03  # how near light and dark may be to equally likely ink for neither to be taken
_HIGH = 0.97  # of the cell, what a digit is high at most
_ASIDE = 0.2  # of the cell, how far above or below its middle a digit's may be
# Breadth of a digit in its heights; an upright bar that is no one is a part of a digit.
_NARROWEST, _NARROWEST_ONE, _BROADEST = 0.38, 0.08, 1.05
_SPECK = 0.02  # of the largest stroke: what is smaller is no part of a digit
_BESIDE, _LEFT_OUT = 0.1, 0.04  # of the cell and of the digit: ink left out beside it, and how much of it may be
_PALE = 0.35  # of Otsu's threshold: such ink, too
_FLOOR = 0.15  # of a digit's darkest: where its rim ends
# A cell's ink is kept if of the `_NEAREST` most like it these many are of its label (Wilson 1972).
_NEAREST, _ALIKE = 9, 4
_COMPARED = 250  # inks of each label that others are compared with
# From this mean correlation on with the `_TWINS` of its label that are most like it, a digit was set, not written.
_TWINS, _SET = 10, 0.975

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Kind:
    """What is known of a set; lengths are shares of a cell's side."""

    name: str
    licence: str
    truth: Callable[[str], int]
    """A label's digit, or _NEITHER or _REJECT. Raises ValueError where the set has no such label."""
    frame: float
    """the outermost, which is not looked at"""
    least: float
    """height of a digit, at least"""
    apart: float
    """how far the strokes of one digit stand apart; 0: a digit is one stroke"""
    off: float
    """how far the middle of a digit may be left or right of the cell's"""
    light: bool = False
    """whether ink may be lighter than what is round it"""
    segments: bool = False
    """whether digits are of segments, so that one without one of them may be another digit"""
    printed: bool | None = True
    """whether digits were set, not written; None where some were, and likeness has to tell"""


def _whole(label: str) -> int:
    """Blank cells give no ink. Several small digits in one cell give none either: beside others in a row they are
    digits like those, so that they would teach a model to skip digits.
    """
    if label in {"blank", "candidates"}:
        return _NEITHER
    if not re.fullmatch("[0-9]", label):
        raise ValueError(label)
    return int(label)


def _rolling(label: str) -> int:
    """Of a wheel at rest, within a tenth, its digit. Nearly half way to the next it shows none."""
    if not re.fullmatch("[0-9][.][0-9]", label):
        raise ValueError(label)
    digit, tenth = int(label[0]), int(label[2])
    if tenth in (0, 1, 9):
        return (digit + (tenth == 9)) % 10
    return _REJECT if tenth in (4, 5, 6) else _NEITHER


SETS = {
    "sudoku_cells.npz": _Kind(
        "sudoku cells, printed and pencil, AlexKubiesa/sudoku-scanner",
        "MIT",
        _whole,
        frame=0.03,
        least=0.38,
        apart=0.04,
        off=0.3,
        printed=None,
    ),
    "sevenseg_48px.npz": _Kind(
        "LCD displays, Kazuhito00/7segment-display-reader",
        "Apache-2.0",
        _whole,
        frame=0,
        least=0.5,
        apart=0.12,
        off=0.38,
        segments=True,
    ),
    "meter_wheels.npz": _Kind(
        "water meters' wheels, haverland/Tenth-of-step-of-a-meter-digit",
        "Apache-2.0",
        _rolling,
        frame=0.025,
        least=0.5,
        apart=0,
        off=0.2,
        light=True,
    ),
}


@dataclass(frozen=True)
class Cells:
    """inks: uint8 [h, w] each, cropped, 0 paper to 255 ink; labels: int64 [N], 0 to 9; printed: bool [N], set, not
    written; held_out: bool [N], what the set itself keeps for choosing, None where it does not say; rejects: inks of
    what is no digit; dropped: cells with a digit's label in which none was found; sha256: of the file.
    """

    name: str
    licence: str
    sha256: str
    inks: tuple[U8, ...]
    labels: np.ndarray
    printed: np.ndarray
    held_out: np.ndarray | None
    rejects: tuple[U8, ...]
    dropped: int

    def take(self, index: np.ndarray, rejects: np.ndarray) -> "Cells":
        """The digits and the rejects at these, bool [N] and [M]."""
        return Cells(
            self.name,
            self.licence,
            self.sha256,
            tuple(self.inks[i] for i in np.flatnonzero(index)),
            self.labels[index],
            self.printed[index],
            None if self.held_out is None else self.held_out[index],
            tuple(self.rejects[i] for i in np.flatnonzero(rejects)),
            self.dropped,
        )


def load(data_dir: Path | None = None) -> list[Cells]:
    """All sets, from beside MNIST's folder. Raises ConfigError with the mend where one is missing or broken."""
    folder = mnist.data_folder(data_dir)
    folder = folder.parent if folder.name == "mnist" else folder
    return [_load(folder / name, kind) for name, kind in SETS.items()]


def split(cells: list[Cells], share: float, seed: int) -> tuple[list[Cells], list[Cells]]:
    """(rest, held out): by the sets' own parts, else `share` of each set's digits; of its rejects always a share."""
    rng = np.random.default_rng(seed)
    rest, held_out = [], []
    for one in cells:
        drawn, rejects = rng.random(len(one.labels)) < share, rng.random(len(one.rejects)) < share
        held = drawn if one.held_out is None else one.held_out
        rest.append(one.take(~held, ~rejects))
        held_out.append(one.take(held, rejects))
    return rest, held_out


def _load(path: Path, kind: _Kind) -> Cells:
    images, labels, parts, sha256 = _read(path, kind)
    try:
        truth = np.array([kind.truth(label) for label in labels], np.int64)
    except ValueError as error:
        raise ConfigError(f"{path}: not the set of {kind.name}: it has no label {str(error)[:40]!r}") from None
    of_digits = np.flatnonzero(truth >= 0)
    found = [(i, ink) for i in of_digits if (ink := _digit(images[i], int(truth[i]), kind)) is not None]
    index, inks = np.array([i for i, _ in found], np.int64), [ink for _, ink in found]
    alike, likeness = _compared(inks, truth[index])
    kept = alike >= min(_ALIKE, len(inks) - 1)
    printed = likeness >= _SET if kind.printed is None else np.full(len(inks), kind.printed)
    rejects = [ink for i in np.flatnonzero(truth == _REJECT) if (ink := _between(images[i], kind)) is not None]
    return Cells(
        kind.name,
        kind.licence,
        sha256,
        tuple(inks[i] for i in np.flatnonzero(kept)),
        truth[index][kept],
        printed[kept],
        None if (parts == "all").all() else (parts == "val")[index][kept],
        tuple(rejects),
        len(of_digits) - int(kept.sum()),
    )


def _read(path: Path, kind: _Kind) -> tuple[U8, list[str], np.ndarray, str]:
    """images, labels, parts, and the file's sha256."""
    what = f"{path}: not the set of {kind.name}, `images`, `labels` and `parts` in an npz file"
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as packed:
            size = max(size, sum(entry.file_size for entry in packed.infolist()))
        if size > _LARGEST:
            raise ConfigError(f"{path}: {size >> 20} MiB are too many for a set of cells; take the set as it is given")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        with np.load(path, allow_pickle=False) as file:
            images, labels, parts = file["images"], file["labels"], file["parts"]
    except OSError:
        raise ConfigError(
            f"{path}: {kind.name} is not there; put it there, or set writers.cells = 0 in the recipe to do without"
        ) from None
    except (ValueError, KeyError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise ConfigError(f"{what} ({error})") from None
    least, most = _SIDES
    if images.dtype != np.uint8 or images.ndim != 3 or not all(least <= side <= most for side in images.shape[1:]):
        raise ConfigError(f"{what}: images want to be uint8, {least} to {most} pixels wide and high")
    if not images.shape[:1] == labels.shape == parts.shape or not np.isin(parts, ("train", "val", "all")).all():
        raise ConfigError(f"{what}: each image wants a label, and a part that is train, val or all")
    return u8(images), labels.astype(str).tolist(), parts, sha256


def _digit(cell: U8, label: int, kind: _Kind) -> U8 | None:
    """The ink of the digit `label` near the middle of a cell, uint8 [h, w] cropped; None where nothing is plausible."""
    strength = _strength(cell, kind)
    if strength is None:
        return None
    otsu = _otsu(strength)
    frame = round(kind.frame * min(strength.shape))
    strength = strength[frame : strength.shape[0] - frame, frame : strength.shape[1] - frame]
    for level in _LEVELS:
        own = _strokes(strength, max(level * otsu, _FAINT), label, kind)
        if own is not None and (not kind.segments or _is_all(strength, own, _PALE * otsu)):
            return _cut_out(strength, own, level * otsu)
    return None


def _strength(cell: U8, kind: _Kind) -> U8 | None:
    """The cell divided by its background as the box does it; None where light ink is as likely as dark."""
    grey = u8(cv2.GaussianBlur(cell, (3, 3), 0))
    dark = dark_ink(grey, grey).strength
    if not kind.light:
        return dark
    inverse = u8(cv2.bitwise_not(grey))
    light = dark_ink(inverse, inverse).strength
    one, other = _contrast(grey, dark), _contrast(inverse, light)
    share = other / max(one + other, 1.0)
    if abs(share - 0.5) < _EVEN:
        return None
    return light if share > 0.5 else dark


def _contrast(grey: U8, strength: U8) -> float:
    """How much ink there is in the middle of a cell: grey levels that are missing of its paper, squared. As shares of
    the paper, those of a dark ground would count too much.
    """
    h, w = grey.shape
    middle = (slice(round(0.15 * h), round(0.85 * h)), slice(round(0.2 * w), round(0.8 * w)))
    share = np.minimum(strength[middle], 254).astype(np.float32)
    missing = np.minimum(grey[middle] * share / (255 - share), 255.0 - grey[middle])
    return float((missing * missing).sum())


def _otsu(strength: U8) -> float:
    """Otsu's threshold, but for what is near the rim, where a frame may be: over a page it would be another, but a
    digit fills its cell.
    """
    h, w = strength.shape
    inner = strength[round(0.12 * h) : round(0.88 * h), round(0.12 * w) : round(0.88 * w)]
    return cv2.threshold(np.ascontiguousarray(inner), 0, 255, cv2.THRESH_OTSU)[0]


def _strokes(strength: U8, level: float, label: int, kind: _Kind) -> Mask | None:
    """The strokes above `level` that may be the digit. Frames and neighbours reach the rim: they are none of it."""
    height, width = strength.shape
    _, owner, stats, _ = cv2.connectedComponentsWithStats((strength > level).astype(np.uint8), connectivity=8)
    left, top, w, h, area = stats.T
    right, bottom = left + w, top + h
    free = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    free[0] = False  # paper
    near = free & (np.abs(left + right - width) < 2 * kind.off * width)
    near &= np.abs(top + bottom - height) < 0.64 * height
    if not near.any():
        return None
    own = np.zeros(len(stats), bool)
    own[np.argmax(np.where(near, area, -1))] = True
    free &= area >= np.maximum(3, _SPECK * area[own])
    while True:
        x0, y0, x1, y1 = left[own].min(), top[own].min(), right[own].max(), bottom[own].max()
        apart = np.maximum(np.maximum(left - x1, x0 - right), np.maximum(top - y1, y0 - bottom))
        joins = free & ~own & (apart < kind.apart * height)
        if not kind.apart or not joins.any():
            break
        own |= joins
    wide, tall = x1 - x0, y1 - y0
    narrowest = _NARROWEST_ONE if label == 1 else _NARROWEST
    if not kind.least * height <= tall <= _HIGH * height or not narrowest * tall <= wide <= _BROADEST * tall:
        return None
    if abs(x0 + x1 - width) > 2 * kind.off * width or abs(y0 + y1 - height) > 2 * _ASIDE * height:
        return None
    return np.asarray(own[owner], bool)


def _is_all(strength: U8, own: Mask, pale: float) -> bool:
    """Whether no ink above `pale` was left out between, above or below these strokes, as a pale segment or one that
    runs into a frame: without it an eight would be a nought, a nine a four.
    """
    x, y, w, h = cv2.boundingRect(own.astype(np.uint8))
    beside = round(_BESIDE * strength.shape[0])
    part = (slice(max(0, y - beside), y + h + beside), slice(x, x + w))
    rim = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8))[part] > 0
    return int(((strength[part] > pale) & ~rim).sum()) <= _LEFT_OUT * own.sum()


def _cut_out(strength: U8, own: Mask, level: float) -> U8:
    """The ink of these strokes with their soft rims, without others', cropped; 255 at their darkest."""
    others = cv2.dilate(((strength > level) & ~own).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    near = cv2.dilate(own.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    ink = np.where(near & (own | ~others), strength, 0).astype(np.float32)
    darkest = float(np.percentile(strength[own], 80))
    floor = _FLOOR * darkest
    return cropped(np.clip((ink - floor) * (255 / max(darkest - floor, 1.0)), 0, 255).astype(np.uint8))


def _between(cell: U8, kind: _Kind) -> U8 | None:
    """What a wheel shows in its window between two digits, the foot of one above the head of the next: uint8 [h, w],
    cropped; None where it is nothing that fills the window.
    """
    strength = _strength(cell, kind)
    if strength is None:
        return None
    level = _otsu(strength)
    height, width = strength.shape
    window = strength[round(0.19 * height) : round(0.81 * height), round(0.1 * width) : round(0.9 * width)]
    _, owner, stats, _ = cv2.connectedComponentsWithStats((window > max(level, _FAINT)).astype(np.uint8))
    left, w, area = stats[:, 0], stats[:, 2], stats[:, 4]
    own = (left > 0) & (left + w < window.shape[1]) & (area >= 3)
    own[0] = False
    mask = np.asarray(own[owner], bool)
    _, _, wide, tall = cv2.boundingRect(mask.astype(np.uint8))
    if tall < 0.9 * window.shape[0] or not 0.3 * tall <= wide <= tall:
        return None
    return _cut_out(window, mask, level)


def _compared(inks: list[U8], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each ink how many of the `_NEAREST` most like it have its label, int64 [N]; and its mean correlation with the
    `_TWINS` of its label that are most like it, float32 [N].
    """
    if len(inks) < 2:
        return np.zeros(len(inks), np.int64), np.zeros(len(inks), np.float32)
    shapes = np.stack([_shape(ink) for ink in inks])
    # Evenly over the file, so that all of it is compared with.
    of_labels = [np.flatnonzero(labels == label) for label in range(10)]
    compared = np.concatenate([own[:: max(1, -(-len(own) // _COMPARED))] for own in of_labels])
    nearest, twins = min(_NEAREST, len(compared) - 1), min(_TWINS, len(compared) - 1)
    alike, likeness = [], []
    for start in range(0, len(shapes), 500):
        here = np.arange(start, min(start + 500, len(shapes)))
        like = shapes[here] @ shapes[compared].T
        like[here[:, None] == compared] = -1  # itself
        same = labels[here][:, None] == labels[compared]
        closest = np.argpartition(-like, nearest - 1, axis=1)[:, :nearest]
        alike.append(np.take_along_axis(same, closest, axis=1).sum(1))
        likeness.append(-np.partition(-np.where(same, like, -1), twins - 1, axis=1)[:, :twins].mean(1))
    return np.concatenate(alike), np.concatenate(likeness)


def _shape(ink: U8) -> F32:
    """float32 [256]: an ink at one height, in the middle; the product of two of these is their correlation."""
    width = int(np.clip(round(ink.shape[1] * 14 / ink.shape[0]), 1, 14))
    shape = np.zeros((16, 16), np.float32)
    left = (16 - width) // 2
    shape[1:15, left : left + width] = cv2.resize(ink, (width, 14), interpolation=cv2.INTER_AREA)
    shape = cv2.GaussianBlur(shape, (3, 3), 0).ravel()
    shape -= shape.mean()
    return np.asarray(shape / max(float(np.linalg.norm(shape)), 1e-6), np.float32)
