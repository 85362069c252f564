"""Pictures with what was read drawn on them, to be judged by eye."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8
from edge.errors import PictureError
from edge.row import UNREADABLE, Row

WORKING_HEIGHT = 64  # pixels a row's digits are drawn at, at least; below, letters beside them are not legible
LONGEST = 1600  # pixels a small picture is enlarged to at most
FONT = cv2.FONT_HERSHEY_SIMPLEX

Colour = tuple[int, int, int]
Edges = tuple[int, int, int, int]  # left, top, right, bottom
GREEN: Colour = (60, 160, 30)
AMBER: Colour = (0, 140, 230)
RED: Colour = (40, 40, 220)
MAGENTA: Colour = (200, 40, 200)  # what could not be read


@dataclass(frozen=True, slots=True)
class _Label:
    """A text on a coloured ground, x, y, width and height in pixels; `letters` high, beside the row at
    `row`.
    """

    text: str
    scale: float
    letters: int
    colour: Colour
    x: int
    y: int
    width: int
    height: int
    row: Edges

    def covers(self, box: Edges) -> bool:
        left, top, right, bottom = box
        return self.x < right and left < self.x + self.width and self.y < bottom and top < self.y + self.height


def annotate(image: U8, rows: Sequence[Row]) -> U8:
    """A copy of `image` (BGR uint8 [H, W, 3]) with each row's quad, digit boxes, text and confidence drawn in.

    A picture with small digits comes back enlarged by a whole number, and one whose labels need more room
    than it has with a white margin.
    """
    times = _enlargement(image, rows)
    height, width = image.shape[0] * times, image.shape[1] * times
    thin = max(1, round(max(height, width) / 900))
    labels = _placed([_label(row, times, max(height, width), 2 * thin) for row in rows])
    top = max([0, *(-label.y for label in labels)])
    bottom = max([0, *(label.y + label.height - height for label in labels)])
    right = max([0, *(label.x + label.width - width for label in labels)])
    canvas = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) if times > 1 else image
    white = (255, 255, 255)
    canvas = np.asarray(cv2.copyMakeBorder(canvas, top, bottom, 0, right, cv2.BORDER_CONSTANT, value=white), np.uint8)
    for row in rows:
        for digit in row.digits:
            x, y, w, h = (round(side * times) for side in digit.box)
            ink = MAGENTA if digit.text == UNREADABLE else _colour(digit.confidence)
            cv2.rectangle(canvas, (x, y + top), (x + w, y + h + top), ink, thin)
            if digit.text == UNREADABLE:
                cv2.line(canvas, (x, y + top), (x + w, y + h + top), ink, thin)
        quad = np.rint([[x * times, y * times + top] for x, y in row.quad]).astype(np.int32)
        cv2.polylines(canvas, [quad], True, _colour(row.confidence), thin + 1, cv2.LINE_AA)
    for label in labels:
        at = (label.x, label.y + top)
        cv2.rectangle(canvas, at, (at[0] + label.width, at[1] + label.height), label.colour, cv2.FILLED)
        corner = (at[0] + label.letters // 2, at[1] + label.letters + label.letters // 3)
        cv2.putText(canvas, label.text, corner, FONT, label.scale, white, _pen(label.scale), cv2.LINE_AA)
    return canvas


def save(image: U8, path: Path) -> None:
    """Writes `image` as PNG, or as JPEG where `path` ends in .jpg. Raises PictureError where that cannot be
    done.
    """
    okay, data = cv2.imencode(path.suffix, image)
    if not okay:
        raise PictureError(f"{path}: the annotated picture cannot be encoded; leave out --annotate")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise PictureError(
            f"{path}: the annotated picture cannot be written ({error.strerror}); "
            "check the folder of --annotate and the disk's room"
        ) from None


class AnnotatedNames:
    """Gives every picture of a run its own file name in one folder, and never that of a picture being
    read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def path(self, name: str) -> Path:
        """name: as in the results. A JPEG's copy is a JPEG, all others are PNG, which loses nothing."""
        source, _, time = name.partition("#t=") if not Path(name).exists() else (name, "", "")
        stem = Path(source).name if source != "-" else "stdin"
        jpeg = Path(source).suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif")
        suffix = ".jpg" if jpeg else ".png"
        stem = Path(stem).stem if time or Path(stem).suffix.lower() in (".jpg", ".png") else stem
        stem = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", stem) + (f"-{time}s" if time else "")
        # A name may have 255 bytes; a very long one is cut and told apart by a hash of the whole.
        if len(stem.encode("utf-8", "surrogateescape")) > 200:
            stem = stem[:50] + "-" + hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        number = 1
        while True:
            candidate = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
            path = self._folder / candidate
            if candidate.casefold() not in self._taken and not _same(path, Path(source)):
                self._taken.add(candidate.casefold())
                return path
            number += 1


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _enlargement(image: U8, rows: Sequence[Row]) -> int:
    heights = [digit.box[3] for row in rows for digit in row.digits]
    if not heights:
        return 1
    wanted = -(-WORKING_HEIGHT // max(1, int(np.median(heights))))
    return max(1, min(wanted, LONGEST // int(max(image.shape[:2]))))


def _label(row: Row, times: int, longest: int, gap: int) -> _Label:
    """Letters half as high as the row's digits, within what can be read; above the row's left end."""
    tall = float(np.median([digit.box[3] for digit in row.digits])) * times if row.digits else 0.0
    pixels = min(max(tall / 2, longest / 60, 14), longest / 20 + 14)
    text, scale = (
        f"{row.text}  {100 * row.confidence:.1f} %",
        pixels / 22,
    )  # 22: height of a capital at scale 1
    (width, letters), below = cv2.getTextSize(text, FONT, scale, _pen(scale))
    xs, ys = zip(*row.quad, strict=True)
    left, right = math.floor(min(xs) * times), math.ceil(max(xs) * times)
    top, bottom = math.floor(min(ys) * times), math.ceil(max(ys) * times)
    height = letters + letters // 2 + below
    return _Label(
        text,
        scale,
        letters,
        _colour(row.confidence),
        left,
        top - height - gap,
        width + letters,
        height,
        (left - gap, top - gap, right + gap, bottom + gap),
    )


def _placed(labels: list[_Label]) -> list[_Label]:
    """Each label above its row, else to the right of it, else below: where it covers no other row or
    label.
    """
    placed: list[_Label] = []
    for number, label in enumerate(labels):
        left, _, right, bottom = label.row
        choices = [label, replace(label, x=right, y=label.row[1]), replace(label, x=left, y=bottom)]
        taken = [other.row for other in labels[:number] + labels[number + 1 :]]
        taken += [(other.x, other.y, other.x + other.width, other.y + other.height) for other in placed]
        free = (choice for choice in choices if not any(choice.covers(box) for box in taken))
        placed.append(next(free, label))
    return placed


def _pen(scale: float) -> int:
    return max(1, round(scale * 2))


def _colour(confidence: float) -> Colour:
    return GREEN if confidence >= 0.9 else AMBER if confidence >= 0.5 else RED
