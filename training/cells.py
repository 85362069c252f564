"""Digits as cameras see them, as ink: in the cells of sudokus, on LCD displays, on meters' wheels.

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

from edge.arrays import F32, U8, u8
from edge.errors import ConfigError
from training import mnist
from training.cell_ink import Layout, between, digit

_NEITHER, _REJECT = -1, -2  # of a cell: nothing to learn from; what is no digit
_LARGEST = 512 << 20  # bytes of a file, and of what is in it, unpacked; the largest of the three holds 54 MB
_SIDES = (16, 256)  # pixels that cells may be wide and high

# These, and what `SETS` says of layouts, were chosen by eye, as those of `training.cell_ink`.
# A cell's ink is kept if of the `_NEAREST` most like it these many are of its label (Wilson 1972).
_NEAREST, _ALIKE = 9, 4
_COMPARED = 250  # inks of each label that others are compared with
# From this mean correlation on with the `_TWINS` of its label that are most like it, a digit was set, not written.
_TWINS, _SET = 10, 0.975


@dataclass(frozen=True)
class _Kind:
    """What is known of a set."""

    name: str
    licence: str
    truth: Callable[[str], int]
    """A label's digit, or _NEITHER or _REJECT. Raises ValueError where the set has no such label."""
    layout: Layout
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
        Layout(frame=0.03, least=0.38, apart=0.04, off=0.3),
        printed=None,
    ),
    "sevenseg_48px.npz": _Kind(
        "LCD displays, Kazuhito00/7segment-display-reader",
        "Apache-2.0",
        _whole,
        Layout(frame=0, least=0.5, apart=0.12, off=0.38, segments=True),
    ),
    "meter_wheels.npz": _Kind(
        "water meters' wheels, haverland/Tenth-of-step-of-a-meter-digit",
        "Apache-2.0",
        _rolling,
        Layout(frame=0.025, least=0.5, apart=0, off=0.2, light=True),
    ),
}


@dataclass(frozen=True)
class Cells:
    """inks: uint8 [h, w] each, cropped, 0 paper to 255 ink; labels: int64 [N], 0 to 9; index: int64 [N], which of the
    file's pictures; printed: bool [N], set, not
    written; held_out: bool [N], what the set itself keeps for choosing, None where it does not say; rejects: inks of
    what is no digit; dropped: cells with a digit's label in which none was found; sha256: of the file.
    """

    name: str
    licence: str
    sha256: str
    inks: tuple[U8, ...]
    labels: np.ndarray
    index: np.ndarray
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
            self.index[index],
            self.printed[index],
            None if self.held_out is None else self.held_out[index],
            tuple(self.rejects[i] for i in np.flatnonzero(rejects)),
            self.dropped,
        )


def load(data_dir: Path | None = None) -> list[Cells]:
    """All sets, from beside MNIST's folder. Raises ConfigError with the mend where one is missing or broken."""
    return [_load(_folder(data_dir) / name, kind) for name, kind in SETS.items()]


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


def wheels_at_rest(data_dir: Path | None, share: float, seed: int, held_out: bool) -> tuple[U8, np.ndarray]:
    """Water meters' wheels, as photographed, uint8 [N, side, side], and their digits, int64 [N]: those that `split`
    leaves to learn from, or those it holds out, and of those in which no ink was found a `share`. Raises ConfigError as
    `load`.
    """
    name = "meter_wheels.npz"
    sets = load(data_dir)
    rest, _ = split(sets, share, seed)
    which = list(SETS).index(name)
    images, labels, _, _ = _read(_folder(data_dir) / name, SETS[name])
    truth = np.array([SETS[name].truth(label) for label in labels], np.int64)
    learnt = np.zeros(len(images), bool)
    learnt[rest[which].index] = True
    dropped = np.ones(len(images), bool)
    dropped[sets[which].index] = False
    unused = ~learnt & (~dropped | (np.random.default_rng(seed).random(len(images)) < share))
    chosen = np.flatnonzero((unused if held_out else learnt) & (truth >= 0))
    return u8(images[chosen]), truth[chosen]


def _folder(data_dir: Path | None) -> Path:
    folder = mnist.data_folder(data_dir)
    return folder.parent if folder.name == "mnist" else folder


def _load(path: Path, kind: _Kind) -> Cells:
    images, labels, parts, sha256 = _read(path, kind)
    try:
        truth = np.array([kind.truth(label) for label in labels], np.int64)
    except ValueError as error:
        raise ConfigError(f"{path}: not the set of {kind.name}: it has no label {str(error)[:40]!r}") from None
    of_digits = np.flatnonzero(truth >= 0)
    found = [(i, ink) for i in of_digits if (ink := digit(images[i], int(truth[i]), kind.layout)) is not None]
    index, inks = np.array([i for i, _ in found], np.int64), [ink for _, ink in found]
    alike, likeness = _compared(inks, truth[index])
    kept = alike >= min(_ALIKE, len(inks) - 1)
    printed = likeness >= _SET if kind.printed is None else np.full(len(inks), kind.printed)
    rejects = [ink for i in np.flatnonzero(truth == _REJECT) if (ink := between(images[i], kind.layout)) is not None]
    return Cells(
        kind.name,
        kind.licence,
        sha256,
        tuple(inks[i] for i in np.flatnonzero(kept)),
        truth[index][kept],
        index[kept],
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
