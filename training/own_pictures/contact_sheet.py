"""A contact sheet of examples by label, to be looked at before they are learnt from."""

from pathlib import Path

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.errors import UsageError
from edge.imaging.normalise import SIDE
from edge.text import printable
from training.own_pictures.crops import Crops

_TIMES = 2  # that a crop is enlarged
_CELL = SIDE * _TIMES + 4
_LABEL = 120  # pixels left of a line for its label
_MORE = 130  # and right of it for how many are not shown
_LETTERS = 22  # pixels
_MOST_LINES = 400  # of all labels together; a sheet of so many is 24,000 pixels high
_PAPER, _TEXT, _MISSING = (255, 255, 255), (40, 30, 30), (40, 40, 220)


def sheet(crops: Crops, columns: int = 20, lines: int = 2) -> U8:
    """uint8 [h, w, 3], blue-green-red: for each label up to `lines` lines of `columns` examples, evenly taken, dark on
    light; beside them the label, how many there are, and how many are not shown.
    """
    counts = crops.counts
    lines = max(1, min(lines, _MOST_LINES // len(crops.names)))
    bands = []
    for label in range(min(len(crops.names), _MOST_LINES)):
        index = np.flatnonzero(crops.labels == label)
        room = columns * lines
        if len(index) > room:
            index = index[np.linspace(0, len(index) - 1, room).round().astype(int)]
        bands.append(_band(crops.images[index], columns, crops.names[label], int(counts[label])))
    return u8(np.vstack(bands))


def save_sheet(crops: Crops, path: Path) -> None:
    """Writes the contact sheet as PNG. Raises UsageError where that cannot be done."""
    _, data = cv2.imencode(".png", sheet(crops))
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise UsageError(
            f"{printable(str(path))}: the sheet cannot be written ({error.strerror}); name another file"
        ) from None


def _band(images: U8, columns: int, name: str, count: int) -> U8:
    """One label's lines."""
    tall = max(1, -(-len(images) // columns))
    band = np.full((tall * _CELL + 8, _LABEL + columns * _CELL + _MORE, 3), _PAPER, np.uint8)
    band[-1] = 200
    for i, crop in enumerate(images):
        y, x = divmod(i, columns)
        large = cv2.resize(255 - crop, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_NEAREST)
        top, left = y * _CELL + 4, _LABEL + x * _CELL
        band[top : top + SIDE * _TIMES, left : left + SIDE * _TIMES] = large[..., None]
    _write(band, f"{name}  ({count})", 8, _CELL // 2 + _LETTERS // 2, _TEXT if count else _MISSING)
    if count > len(images):
        _write(band, f"and {count - len(images)} more", _LABEL + columns * _CELL + 4, tall * _CELL - _CELL // 3, _TEXT)
    return band


def _write(image: U8, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    if hasattr(cv2, "FontFace"):  # since OpenCV 5: any script
        cv2.putText(image, printable(text), (x, y), colour, cv2.FontFace("sans"), _LETTERS)
    else:
        ascii_only = text.encode("ascii", "backslashreplace").decode("ascii")
        cv2.putText(image, ascii_only, (x, y), cv2.FONT_HERSHEY_SIMPLEX, _LETTERS / 30, colour, 2, cv2.LINE_AA)
