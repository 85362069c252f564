"""Examples of a user's own hand, each with where it was cut out; and the share of them that is held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.arrays import U8
from edge.errors import UsageError
from training.own_pictures.example import Box

_TRIES = 16  # orders of pictures in which held-out ones are looked for


@dataclass(frozen=True)
class Origin:
    """Where an example comes from: a file, and in it x, y, width, height in pixels of the picture, upright as its
    EXIF says.
    """

    file: Path
    box: Box


@dataclass(frozen=True)
class Crops:
    """images: uint8 [N, 28, 28], 0 paper to 255 ink, as the box makes them; labels: int64 [N], indices of `names`."""

    images: U8
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    origins: tuple[Origin, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """int64 [len(names)]: examples of each label."""
        return np.bincount(self.labels, minlength=len(self.names)).astype(np.int64)

    def take(self, index: Sequence[int] | npt.NDArray[np.generic]) -> "Crops":
        """Those at `index`, as numpy takes it: numbers, or bool [N]."""
        chosen = np.arange(len(self))[np.asarray(index, dtype=None if len(index) else np.int64)]
        origins = tuple(self.origins[i] for i in chosen)
        return Crops(self.images[chosen], self.labels[chosen], self.names, origins)


def split(crops: Crops, share: float = 0.2, seed: int = 0, every_label: bool = True) -> tuple[Crops, Crops]:
    """(rest, held out): about `share` of the examples held out, of each label at least one on either side; what was cut
    from one picture stays together. The same for the same crops, share and seed.

    every_label: whether a label without an example is an error. Raises UsageError where there are too few.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: more than 0 and less than 1 wanted, not {share}")
    _check_enough(crops, share, every_label)
    files = sorted({origin.file for origin in crops.origins})
    number = {file: i for i, file in enumerate(files)}
    owner = np.array([number[origin.file] for origin in crops.origins])
    held_by = np.zeros((len(files), len(crops.names)), np.int64)  # examples of each label on each picture
    np.add.at(held_by, (owner, crops.labels), 1)
    wanted = np.minimum(np.maximum(np.round(share * crops.counts), 1), crops.counts)
    best: tuple[float, npt.NDArray[np.bool_]] | None = None
    for attempt in range(_TRIES):
        order = np.random.default_rng([seed, attempt]).permutation(len(files))
        chosen = _held_out(held_by, wanted, order)
        if chosen is None:
            continue
        off = float(np.abs(held_by[chosen].sum(0) - wanted).sum())
        if best is None or off < best[0]:
            best = off, chosen
        if off == 0:
            break
    if best is None:
        raise UsageError(
            f"no pictures can be held out that leave and hold an example of every label: {len(files)} pictures with "
            "several digits each are too few; add some with one digit"
        )
    held = best[1][owner]
    return crops.take(~held), crops.take(held)


def _held_out(
    held_by: npt.NDArray[np.int64], wanted: npt.NDArray[np.generic], order: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_] | None:
    """bool [pictures]: which are held out, tried in this order; None where a label is left without."""
    held_by = held_by[order]
    left = held_by.sum(0)
    there = left > 0
    missing = np.asarray(wanted, np.int64).copy()
    chosen = np.zeros(len(held_by), bool)
    # Rarest first, picture by picture: of those that leave some of every label, one that takes no more than is wanted.
    for label in np.argsort(left, kind="stable"):
        while missing[label] > 0:
            fitting = ~chosen & (held_by[:, label] > 0) & (left - held_by >= there).all(1)
            if not fitting.any():
                break
            over = np.maximum(held_by - np.maximum(missing, 0), 0).sum(1)
            i = int(np.argmin(np.where(fitting, over, np.iinfo(np.int64).max)))
            if missing[label] < wanted[label] and over[i] > missing[label]:
                break
            chosen[i] = True
            left = left - held_by[i]
            missing = missing - held_by[i]
    if not (held_by[chosen].sum(0) >= there).all():
        return None
    held = np.zeros(len(chosen), bool)
    held[order] = chosen
    return held


def _check_enough(crops: Crops, share: float, every_label: bool) -> None:
    """Every label wants two pictures with examples: one to learn from, one to be judged by."""
    missing, few = [], []
    for label, (name, count) in enumerate(zip(crops.names, crops.counts, strict=True)):
        pictures = len({crops.origins[i].file for i in np.flatnonzero(crops.labels == label)})
        if count == 0 and every_label:
            missing.append(name)
        elif count > 0 and pictures < 2:
            few.append(f"{name} has 1" if count == 1 else f"{name} has {count} on 1 picture")
    if not len(crops) and not missing:
        raise UsageError("there are no examples at all; add pictures of each label")
    if missing:
        raise UsageError(f"no example of {', '.join(missing)}; add at least 2 pictures of each")
    if few:
        raise UsageError(
            f"too few examples to hold {share:.0%} of them out: {', '.join(few)}; each label needs at least 2, on "
            "2 pictures; add some"
        )
