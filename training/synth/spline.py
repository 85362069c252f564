"""Catmull-Rom splines as matrices: a stroke's polyline is `basis @ points`, so one product draws it.

E. Catmull, R. Rom: A class of local interpolating splines. Computer Aided Geometric Design, 1974.
"""

from functools import lru_cache

import numpy as np

from edge.arrays import F64


@lru_cache(maxsize=512)
def basis(count: int, corners: tuple[int, ...], steps: int, roundness: float) -> F64:
    """float64 [(count - 1) * steps + 1, count]: a curve through `count` points, `steps` pieces between two.

    roundness: 0 turns sharply at `corners`, 1 passes them as smoothly as any other point.
    """
    smooth = _through(count, (), steps)
    return smooth if not corners else roundness * smooth + (1 - roundness) * _through(count, corners, steps)


@lru_cache(maxsize=256)
def _through(count: int, corners: tuple[int, ...], steps: int) -> F64:
    t = np.arange(steps)[:, None] / steps
    # Rows: weights of the points before, at the start, at the end and after the piece, at each t.
    weights = 0.5 * np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3])
    matrix = np.zeros(((count - 1) * steps + 1, count))
    for piece in range(count - 1):
        rows = slice(piece * steps, (piece + 1) * steps)
        first, last = piece, piece + 1
        matrix[rows, first] += weights[:, 1]
        matrix[rows, last] += weights[:, 2]
        # At an end or a corner the missing neighbour is the mirrored one: the curve runs straight out.
        if first == 0 or first in corners:
            matrix[rows, first] += 2 * weights[:, 0]
            matrix[rows, last] -= weights[:, 0]
        else:
            matrix[rows, first - 1] += weights[:, 0]
        if last == count - 1 or last in corners:
            matrix[rows, last] += 2 * weights[:, 3]
            matrix[rows, first] -= weights[:, 3]
        else:
            matrix[rows, last + 1] += weights[:, 3]
    matrix[-1, -1] = 1
    return matrix
