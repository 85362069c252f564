"""MNIST from its four idx files, with the writers that QMNIST knows.

MNIST: LeCun, Cortes, Burges (CC BY-SA 3.0). QMNIST: Yadav, Bottou, "Cold Case: The Lost MNIST Digits", 2019 (BSD).
"""

import gzip
import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edge.errors import ConfigError

Split = Literal["train", "test"]

# md5 of the unpacked files: mirrors pack the same bytes differently.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_LONGEST = 64 << 20  # bytes unpacked; the largest file is 47 MB


@dataclass(frozen=True)
class Mnist:
    """images: uint8 [N, 28, 28], 0 paper to 255 ink; labels: integers [N]; writers: int32 [N], or None if not known."""

    images: np.ndarray
    labels: np.ndarray
    writers: np.ndarray | None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: np.ndarray) -> "Mnist":
        """The digits at `index` (int [M] or bool [N])."""
        writers = None if self.writers is None else self.writers[index]
        return Mnist(self.images[index], self.labels[index], writers)


def data_folder(data_dir: Path | None = None) -> Path:
    """Where MNIST lies or is to be put: `data_dir`, else $DIGITD_DATA, else the user's cache folder.

    A folder that holds a folder `mnist` stands for that one.
    """
    if data_dir is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        data_dir = Path(os.environ.get("DIGITD_DATA") or cache / "digitd")
    return data_dir / "mnist" if (data_dir / "mnist").is_dir() else data_dir


def load(split: Split, data_dir: Path | None = None, download: bool = True) -> Mnist:
    """MNIST's training (60,000) or test (10,000) digits, in the canonical order.

    Files are looked for in `data_folder(data_dir)`, packed or not; what is missing is downloaded there, unless
    `download` is off. Every file is checked against its md5. Raises ConfigError with the mend.
    """
    folder = data_folder(data_dir)
    stem = "train" if split == "train" else "t10k"
    images = _bytes(folder, f"{stem}-images-idx3-ubyte", download)
    labels = _bytes(folder, f"{stem}-labels-idx1-ubyte", download)
    return Mnist(
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28).copy(),
        np.frombuffer(labels, np.uint8, offset=8).copy(),
        _writers(folder, split),
    )


def split_by_writer(data: Mnist, share: float, seed: int) -> tuple[Mnist, Mnist]:
    """Part `data` into (rest, held out) so that no writer is in both; `share` of the writers are held out.

    Without writers the digits themselves are drawn, which makes the held-out part a little easier.
    """
    rng = np.random.default_rng(seed)
    if data.writers is None:
        held = np.zeros(len(data), bool)
        held[rng.permutation(len(data))[: round(len(data) * share)]] = True
    else:
        writers = np.unique(data.writers)
        held = np.isin(data.writers, rng.permutation(writers)[: round(len(writers) * share)])
    return data.take(~held), data.take(held)


def _bytes(folder: Path, name: str, download: bool) -> bytes:
    packed, plain = folder / f"{name}.gz", folder / name
    if not packed.is_file() and not plain.is_file():
        if not download:
            raise ConfigError(f"{folder}: no {name}[.gz] there; name MNIST's folder with --data-dir or DIGITD_DATA")
        _download(packed)
    if packed.is_file():
        try:
            with gzip.open(packed) as file:
                data = file.read(_LONGEST)
        except (OSError, EOFError) as error:
            raise ConfigError(f"{packed}: cannot be unpacked ({error}); delete it and try again") from None
        path = packed
    else:
        data, path = plain.read_bytes(), plain
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != MD5[name]:
        raise ConfigError(f"{path}: not MNIST's {name} (its md5 differs); delete it and try again")
    return data


def _download(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for mirror in MIRRORS:
        try:
            with urllib.request.urlopen(mirror + target.name, timeout=60) as answer:  # noqa: S310 (fixed https)
                data = answer.read(_LONGEST)
            part = target.with_suffix(".part")
            part.write_bytes(data)
            part.replace(target)
            return
        except (OSError, urllib.error.URLError) as error:
            reasons.append(f"{mirror}: {error}")
    raise ConfigError(
        f"{target.name}: not in {target.parent} and not to be downloaded ({'; '.join(reasons)}); "
        "put MNIST's four idx files into a folder and name it with --data-dir or DIGITD_DATA"
    )


def _writers(folder: Path, split: Split) -> np.ndarray | None:
    """QMNIST's extended labels, int32 big-endian [N, 8] behind a header of 12 bytes; column 2 is the NIST writer."""
    path = folder / f"qmnist-{split}-labels-idx2-int.gz"
    if not path.is_file():
        return None
    with gzip.open(path) as file:
        table = np.frombuffer(file.read(_LONGEST), ">i4", offset=12).reshape(-1, 8)
    return table[: 60_000 if split == "train" else 10_000, 2].astype(np.int32)
