"""The front door: a picture in, its rows of digits out.

imaging proposes candidates, one ONNX Runtime call judges all of them, decoding picks each row's best path.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.arrays import F32, F64, U8, u8
from edge.decode import Decoded, decode
from edge.imaging.candidates import Candidate, find_candidates
from edge.imaging.components import Component, cut_out, find_components
from edge.imaging.cuts import cut, slant_of
from edge.imaging.ink import Ink, find_inks
from edge.imaging.normalise import normalise_all
from edge.imaging.rows import RowOfStrokes, find_rows, straighten, without_blots
from edge.imaging.rules import remove_rules
from edge.recogniser import EngineConfig, Recogniser
from edge.row import UNREADABLE, Digit, Point, Row

SMALLEST = 12
"""Pixels of a picture's shorter side below which there is no room for a digit."""

_LARGEST = 2400  # pixels of the longest side that is worked on; larger pictures are read at this size
_COARSE = 110  # pixels of height below which a picture is doubled first: strokes of one pixel have no shape


@dataclass(frozen=True)
class _Lattice:
    """One row's candidates, in pixels of the levelled picture; `back` leads from there to the working picture."""

    candidates: list[Candidate]
    inks: list[U8]
    height: float
    back: F64 | None


class Reader:
    """Reads rows of digits.

    model: an ONNX file written by `digitd export`; None takes the one that comes with the package.
    Raises ModelError or ProviderError in one line that says what, where and the mend.
    """

    def __init__(self, model: Path | None = None, engine: EngineConfig | None = None) -> None:
        self.recogniser = Recogniser(model, engine)

    def read(self, image: U8) -> list[Row]:
        """The rows of digits in a picture, top to bottom.

        image: uint8 [H, W] grey or [H, W, 3] BGR, ink darker or lighter than its paper. Raises ValueError for
        anything else. A picture with no digits, or too small to hold one, gives no rows.
        """
        _check(image)
        if min(image.shape[:2]) < SMALLEST:
            return []
        grey: U8 = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        grey, scale = _working_size(grey)
        pages = [_page(ink) for ink in find_inks(grey)]
        # All digits of all rows in one call: what a call costs beside its batch is paid once a picture.
        crops = normalise_all([crop for page in pages for lattice in page for crop in lattice.inks])
        log_probs = iter(self.recogniser.log_probs(crops))
        read = [self._decoded(page, log_probs) for page in pages]
        best = max(read, key=_sureness, default=[])
        return [_row(decoded, lattice.back, scale, image.shape[:2]) for decoded, lattice in best]

    def _decoded(self, page: list[_Lattice], log_probs: Iterator[F32]) -> list[tuple[Decoded, _Lattice]]:
        """The page's rows of digits, each from the next of the log-probabilities."""
        rows: list[tuple[Decoded, _Lattice]] = []
        labels, reject = self.recogniser.card.labels, self.recogniser.reject
        for lattice in page:
            own = np.array(list(islice(log_probs, len(lattice.inks))))
            decoded = decode(lattice.candidates, own, labels, reject, lattice.height)
            if _is_row(decoded.digits):
                rows.append((decoded, lattice))
        tall = np.median([lattice.height for decoded, lattice in rows if len(decoded.digits) > 1] or [0.0])
        return [(decoded, lattice) for decoded, lattice in rows if not _is_stray(decoded, lattice.height, float(tall))]


def _sureness(rows: list[tuple[Decoded, _Lattice]]) -> float:
    """By which of two readings of a picture, dark ink or light, the better is chosen: its expected digits right,
    less those that could not be read.
    """
    return sum(digit.confidence if digit.text != UNREADABLE else -0.5 for row, _ in rows for digit in row.digits)


def _check(image: U8) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"image: uint8 array wanted, not {kind}")
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        raise ValueError(f"image: shape [H, W] or [H, W, 3] wanted, not {list(image.shape)}")


def _working_size(grey: U8) -> tuple[U8, float]:
    """The picture at the size it is read at, and working pixels per pixel."""
    scale = min(1.0, _LARGEST / max(grey.shape))
    if grey.shape[0] < _COARSE:
        scale = 2.0 if max(grey.shape) * 2 <= _LARGEST else 1.0
    if scale == 1.0:
        return grey, scale
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=interpolation), scale


def _page(ink: Ink) -> list[_Lattice]:
    """The rows of strokes in a picture's ink, each with its candidates."""
    mask = ink.mask
    components = find_components(mask)
    cleaned = remove_rules(mask, components)
    if cleaned is not None:
        mask, components = cleaned, find_components(cleaned)
    strength = u8(cv2.bitwise_and(ink.strength, mask))
    return [_lattice(without_blots(row, mask), strength) for row in find_rows(components)]


def _lattice(row: RowOfStrokes, strength: U8) -> _Lattice:
    strokes = row.strokes()
    turn = straighten(row)
    if turn is not None:
        strokes = [_turned(c, turn) for c in strokes]
        strokes.sort(key=lambda c: c.centre[0])
        size = (max(c.right for c in strokes) + 1, max(c.bottom for c in strokes) + 1)
        strength = u8(cv2.warpAffine(strength, turn, size, flags=cv2.INTER_LINEAR))
    heights = [c.h for c in strokes]
    height = float(np.median([h for h in heights if h >= 0.42 * max(heights)]))
    slant = slant_of(strokes)
    candidates = find_candidates([cut(stroke, strength, height, slant) for stroke in strokes], height)
    back = None if turn is None else cv2.invertAffineTransform(turn)
    return _Lattice(candidates, [cut_out(strength, c.pieces) for c in candidates], height, back)


def _turned(component: Component, turn: F64) -> Component:
    contours = tuple(np.round(contour @ turn[:, :2].T + turn[:, 2]).astype(np.int32) for contour in component.contours)
    return Component(contours, *cv2.boundingRect(np.concatenate(contours)))


def _is_row(digits: tuple[Digit, ...]) -> bool:
    """Whether what was read is a row of digits and no line of letters or a scribble."""
    read = sum(digit.text != UNREADABLE for digit in digits)
    return read > 0 and read * 2 >= len(digits)


def _is_stray(decoded: Decoded, height: float, tall: float) -> bool:
    """Whether a digit on its own, beside rows of digits `tall` pixels high, is more likely dirt: edges read as ones."""
    alone = len(decoded.digits) == 1 and tall > 0
    return alone and not (decoded.confidence >= 0.9 and 0.6 * tall <= height <= 1.6 * tall)


def _row(decoded: Decoded, back: F64 | None, scale: float, shape: tuple[int, ...]) -> Row:
    """A row in pixels of the picture that was handed in."""
    digits = decoded.digits

    def outward(points: F64) -> F64:
        if back is not None:
            points = points @ back[:, :2].T + back[:, 2]
        return np.clip(points / scale, 0, [shape[1], shape[0]])

    placed = []
    for digit in digits:
        corners = outward(_corners(digit.box))
        low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
        box = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
        placed.append(Digit(digit.text, digit.confidence, box))
    x = min(d.box[0] for d in digits)
    y = min(d.box[1] for d in digits)
    right = max(d.box[0] + d.box[2] for d in digits)
    bottom = max(d.box[1] + d.box[3] for d in digits)
    quad = [(float(px), float(py)) for px, py in outward(_corners((x, y, right - x, bottom - y)))]
    corners4: tuple[Point, Point, Point, Point] = (quad[0], quad[1], quad[2], quad[3])
    return Row("".join(d.text for d in digits), decoded.confidence, tuple(placed), corners4)


def _corners(box: tuple[int, int, int, int]) -> F64:
    x, y, w, h = box
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
