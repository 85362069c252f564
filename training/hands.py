"""Digits of hands that MNIST, all American, does not hold: flagged ones, crossed sevens, closed fours.

Each set is one npz file in the data folder, with `images` uint8 [N, h, w], dark on light, and `labels` str [N].
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8
from edge.errors import ConfigError
from training import mnist

SETS = {
    "swiss_digits_16px.npz": ("Swiss handwriting, kensanata/numbers", "public domain"),
    "optdigits_32px.npz": ("Turkish handwriting, UCI optdigits (Alpaydin, Kaynak)", "CC BY 4.0"),
    "semeion_16px.npz": ("Italian handwriting, UCI semeion (Tattile, Brescia)", "CC BY 4.0"),
}


@dataclass(frozen=True)
class Hands:
    """inks: uint8 [h, w] each, 0 paper to 255 ink; labels: int64 [N], 0 to 9; sha256: of the file."""

    name: str
    licence: str
    sha256: str
    inks: tuple[U8, ...]
    labels: np.ndarray

    def take(self, index: np.ndarray) -> "Hands":
        return Hands(
            self.name, self.licence, self.sha256, tuple(self.inks[i] for i in np.flatnonzero(index)), self.labels[index]
        )


def load(data_dir: Path | None = None) -> list[Hands]:
    """All sets, from beside MNIST's folder. Raises ConfigError with the mend where one is missing or broken."""
    folder = mnist.data_folder(data_dir)
    folder = folder.parent if folder.name == "mnist" else folder
    return [_load(folder / name, *about) for name, about in SETS.items()]


def split(hands: list[Hands], share: float, seed: int) -> tuple[list[Hands], list[Hands]]:
    """(rest, held out): `share` of each set's digits. Their writers are not known."""
    rng = np.random.default_rng(seed)
    held = [rng.random(len(one.labels)) < share for one in hands]
    return (
        [one.take(~out) for one, out in zip(hands, held, strict=True)],
        [one.take(out) for one, out in zip(hands, held, strict=True)],
    )


def _load(path: Path, name: str, licence: str) -> Hands:
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"].astype(np.int64)
    except OSError:
        raise ConfigError(
            f"{path}: {name} is not there; put it there, or set mix.hands = 0 in the recipe to do without"
        ) from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a set of digits, `images` and `labels` in an npz file ({error})") from None
    if len(images) != len(labels) or not np.isin(labels, range(10)).all():
        raise ConfigError(f"{path}: not a set of digits: each image wants a label from 0 to 9")
    return Hands(name, licence, sha256, tuple(_ink(image) for image in images), labels)


def _ink(image: U8) -> U8:
    """Of a dark digit on light paper: what is darker than paper, at full strength where it is darkest, 48 pixels
    tall, so that the pen can be changed.
    """
    ink = 255 - image.astype(np.float32)
    ink = np.clip((ink - 20) * (255 / max(float(ink.max()) - 20, 1.0)), 0, 255).astype(np.uint8)
    scale = 48 / ink.shape[0]
    return np.asarray(cv2.resize(np.pad(ink, 1), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
