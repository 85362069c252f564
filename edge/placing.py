"""A row in other coordinates: of the whole picture, where it was found in a part of it, enlarged, turned or warped."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edge.arrays import F64
from edge.row import Box, Point, Row


def moved(row: Row, outward: Callable[[F64], F64]) -> Row:
    """The row with its quad and its boxes where `outward` has them. Boxes stay upright, on whole pixels, and hold all
    that they held.

    outward: points, float64 [N, 2], x and y, to the same points, float64 [N, 2], in the other coordinates.
    """
    boxes = [*(digit.box for digit in row.digits), *(mark.box for mark in row.separators)]
    points = outward(np.array([*row.quad, *(corner for box in boxes for corner in corners(box))], np.float64))
    top_left, top_right, bottom_right, bottom_left = map(_point, points[:4])
    placed = iter(_around(points[4:].reshape(-1, 4, 2)))
    return replace(
        row,
        quad=(top_left, top_right, bottom_right, bottom_left),
        digits=tuple(replace(digit, box=next(placed)) for digit in row.digits),
        separators=tuple(replace(mark, box=next(placed)) for mark in row.separators),
    )


def corners(box: Box) -> tuple[Point, Point, Point, Point]:
    """Of an upright box (x, y, width, height), clockwise from its top left."""
    x, y, width, height = map(float, box)
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


def _point(xy: F64) -> Point:
    return float(xy[0]), float(xy[1])


def _around(points: F64) -> list[Box]:
    """The least boxes of whole pixels round points, float64 [N, 4, 2], four and four."""
    near, far = np.floor(points.min(1)).astype(int), np.ceil(points.max(1)).astype(int)
    return [(x, y, w, h) for x, y, w, h in np.hstack([near, far - near]).tolist()]
