"""A folder of a user's own pictures -> examples to learn from, found and prepared as the box does it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.errors import PictureError, UsageError
from edge.imaging.normalise import normalise_all
from edge.model_card import REJECT
from edge.recogniser import Recogniser
from edge.sources.picture import decode, read_bytes
from edge.text import printable
from training.own_pictures import aligned, single
from training.own_pictures.crops import Crops, Origin
from training.own_pictures.example import Example
from training.own_pictures.folder import listing

Labelled = tuple[str, Example]


@dataclass(frozen=True)
class OwnPictures:
    """crops: what can be learnt from; problems: a line for each picture that was passed over: what, where, the mend."""

    crops: Crops
    problems: tuple[str, ...]


def read_folder(
    folder: Path,
    recogniser: Recogniser | None = None,
    labels: Sequence[str] | None = None,
    new_labels: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> OwnPictures:
    """All examples in a folder laid out as `training.own_pictures.folder` says.

    recogniser: the base model, None for the one that comes with the package; labels: what may be learnt, in this order,
    None takes what the folder shows, sorted; new_labels: whether the folder may show others, too; progress: called
    with the pictures done and all there are.
    A picture that cannot be used is passed over with a line. Raises UsageError for a folder that is missing, holds
    nothing to learn from, or labels that may not be there.
    """
    recogniser = recogniser or Recogniser()
    known = [label for label in labels if label != REJECT] if labels is not None else None
    listed = listing(folder, known, new_labels)
    problems = list(listed.problems)
    pictures: list[tuple[Path, str | tuple[str, ...]]] = [*listed.labelled, *listed.rows]
    inks: list[U8] = []
    labelled: list[int] = []
    origins: list[Origin] = []
    seen: dict[bytes, Path] = {}
    progress(0, len(pictures))
    for done, (path, truth) in enumerate(pictures, 1):
        try:
            grey = _grey(path, seen)
            found = _single(path, grey, truth, recogniser) if isinstance(truth, str) else []
            if not isinstance(truth, str):
                found, passed_over = _rows(path, grey, truth, recogniser)
                problems += passed_over
        except PictureError as error:
            problems.append(printable(str(error)))
            found = []
        for label, example in found:
            inks.append(example.ink)
            labelled.append(listed.names.index(label))
            origins.append(Origin(path, example.box))
        progress(done, len(pictures))
    if not inks:
        rest = f" (and {len(problems) - 1} more like it)" if len(problems) > 1 else ""
        raise UsageError(f"{printable(str(folder))}: nothing to learn from: {problems[0]}{rest}")
    crops = Crops(normalise_all(inks), np.array(labelled, np.int64), listed.names, tuple(origins))
    return OwnPictures(crops, tuple(problems))


def _grey(path: Path, seen: dict[bytes, Path]) -> U8:
    """A picture that was not there before. The same one twice would be learnt from and judged by at once."""
    data = read_bytes(path)
    digest = hashlib.sha256(data).digest()
    if digest in seen:
        raise PictureError(f"{path}: the same picture as {seen[digest]}; take another, or remove one of them")
    image = decode(data, str(path))
    seen[digest] = path
    return u8(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def _single(path: Path, grey: U8, label: str, recogniser: Recogniser) -> list[Labelled]:
    found = single.examples(grey, label, recogniser)
    if not found:
        raise PictureError(f"{path}: no {label} can be made out; photograph it larger, on plain paper, in even light")
    return [(label, example) for example in found]


def _rows(path: Path, grey: U8, texts: Sequence[str], recogniser: Recogniser) -> tuple[list[Labelled], list[str]]:
    """The digits of a picture's rows, and a line for each row that was passed over."""
    found: list[Labelled] = []
    problems: list[str] = []
    for text, digits in zip(texts, aligned.rows(grey, texts, recogniser), strict=True):
        if digits is None:
            problems.append(
                printable(
                    f"{path}: no row that could be cut into the {len(text)} digits of {text}; check what it is said to "
                    "be, or write the digits further apart"
                )
            )
        else:
            found += zip(text, digits, strict=True)
    return found, problems
