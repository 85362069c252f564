"""What a segmenter hands over beside whole single digits: pairs that touch, parts that cuts leave, lines, specks."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import U8

# Of a digit's ink that a part must hold to be that digit, and of its own ink that may be another's. In between it is
# neither a digit nor a bad cut, and is not shown in training.
_KEPT, _FOREIGN = 0.93, 0.12
_LOST, _MIXED = 0.72, 0.35


@dataclass(frozen=True)
class Pair:
    """Two digits side by side on one canvas: left, right and the stroke that joins them, uint8 [h, w] each."""

    left: U8
    right: U8
    join: U8
    between: float  # column where one ends and the other begins

    @property
    def ink(self) -> U8:
        return np.maximum(np.maximum(self.left, self.right), self.join)


def touching(left: U8, right: U8, rng: np.random.Generator) -> Pair:
    """Neighbours that overlap, touch, or stand so close that they were merged; some joined by a stroke, as people
    write noughts in one go.

    left, right: uint8 [h, w], a digit each, of about the same height.
    """
    left, right = _trimmed(left), _trimmed(right)
    height = max(left.shape[0], right.shape[0])
    gap = round(height * rng.uniform(-0.2, 0.12))
    room = height // 4
    width = left.shape[1] + right.shape[1] + max(gap, 0) + room
    canvas = np.zeros((3, height + 2 * room, width), np.uint8)
    at = left.shape[1] + gap, left.shape[1] + gap + right.shape[1]
    if at[0] < 0:
        at = 0, right.shape[1]
    for layer, digit, start in ((canvas[0], left, 0), (canvas[1], right, at[0])):
        top = room + int(rng.integers(0, height - digit.shape[0] + 1)) + int(rng.integers(-room // 2, room // 2 + 1))
        layer[top : top + digit.shape[0], start : start + digit.shape[1]] = digit
    between = left.shape[1] + gap / 2
    if rng.random() < 0.35:
        y = room + height * rng.uniform(0.0, 0.9)
        reach = height * rng.uniform(0.15, 0.4)
        ends = [(between - reach, y), (between + reach, y + height * rng.uniform(-0.15, 0.15))]
        points = [(round(x * 16), round(v * 16)) for x, v in ends]
        thickness = max(1, round(height * rng.uniform(0.05, 0.14)))
        cv2.line(canvas[2], points[0], points[1], 255, thickness, cv2.LINE_AA, 4)
    return Pair(canvas[0], canvas[1], canvas[2], between)


def part(pair: Pair, rng: np.random.Generator) -> tuple[U8, bool, bool | None]:
    """One side of a leaning cut somewhere near the border of a pair.

    Returns its ink, uint8 [h, w]; whether it is the left side; and whether it is its digit, None where it is neither
    the digit nor clearly none.
    """
    h, w = pair.left.shape
    y, x = np.mgrid[0:h, 0:w]
    cut = pair.between + rng.normal(0, 0.1 * h)
    lean = rng.uniform(-0.35, 0.35)
    is_left = rng.random() < 0.5
    side = (x < cut + lean * (h / 2 - y)) == is_left
    own, other = (pair.left, pair.right) if is_left else (pair.right, pair.left)
    ink = np.where(side, pair.ink, 0).astype(np.uint8)
    kept = own[side].sum(dtype=np.int64) / max(1, own.sum(dtype=np.int64))
    foreign = np.maximum(other, pair.join)[side & (own < 64)].sum(dtype=np.int64) / max(1, ink.sum(dtype=np.int64))
    if kept >= _KEPT and foreign <= _FOREIGN:
        return ink, is_left, True
    return ink, is_left, False if kept < _LOST or foreign > _MIXED else None


def lines(rng: np.random.Generator) -> U8:
    """Ruled lines, their crossings, or specks of noise: uint8 [40, 40]."""
    ink = np.zeros((40, 40), np.uint8)
    kind = rng.integers(3)
    if kind == 2:
        for x, y in rng.integers(4, 36, (rng.integers(2, 12), 2)):
            cv2.circle(ink, (int(x), int(y)), int(rng.integers(1, 4)), int(rng.integers(90, 256)), -1, cv2.LINE_AA)
        return ink
    width = int(rng.integers(1, 4))
    y, tilt = int(rng.integers(8, 32)), int(rng.integers(-4, 5))
    cv2.line(ink, (0, y), (39, y + tilt), 255, width, cv2.LINE_AA)
    if kind == 1:
        x = int(rng.integers(8, 32))
        cv2.line(ink, (x, 0), (x + tilt, 39), 255, width, cv2.LINE_AA)
    return ink


def _trimmed(digit: U8) -> U8:
    x, y, w, h = cv2.boundingRect(digit)
    return digit[y : y + h, x : x + w]
