"""What of a camera's picture is looked at: a region of it, or four corners seen as from the front."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import F64, U8, u8
from edge.config import ViewConfig
from edge.errors import DigitdError
from edge.sources.limits import MIN_SIDE

_SHAPE = 0.01  # by which the ratio of width to height may differ
_EDGE = 1.0  # pixels by which a corner may stand outside


class Misaligned(DigitdError):
    """The picture is not the one that the region or the corners were measured in."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A view for pictures of one size. matrix: float64 [3, 3], from the picture to what is looked at."""

    picture: tuple[int, int]
    width: int
    height: int
    matrix: F64
    region: tuple[int, int] | None
    """left and top, where the picture is cut and not warped"""


class View:
    """Used by one thread: `outward` goes back into the picture that `apply` had last."""

    def __init__(self, config: ViewConfig) -> None:
        self._config = config
        self._fitted: _Fitted | None = None

    @property
    def scale(self) -> float:
        """Pixels of the last picture for each pixel of the configuration's `size`."""
        return 1.0 if self._fitted is None else self._fitted.picture[0] / self._config.size[0]

    def apply(self, image: U8) -> U8:
        """What is looked at of `image`, uint8 [H, W, 3]: uint8 [h, w, 3], as large as it is there.

        Raises Misaligned.
        """
        picture = image.shape[1], image.shape[0]
        if self._fitted is None or self._fitted.picture != picture:
            self._fitted = _fit(self._config, picture)
        fitted = self._fitted
        if fitted.region is not None:
            left, top = fitted.region
            return np.ascontiguousarray(image[top : top + fitted.height, left : left + fitted.width])
        size = (fitted.width, fitted.height)
        return u8(
            cv2.warpPerspective(image, fitted.matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )

    def outward(self, points: F64) -> F64:
        """Points of what is looked at, float64 [N, 2], as points of the whole picture: float64 [N, 2]."""
        if self._fitted is None:
            raise ValueError("no picture was looked at yet")
        back = np.asarray(np.linalg.inv(self._fitted.matrix), np.float64)
        return _moved(np.asarray(points, np.float64).reshape(-1, 2), back)


def _fit(config: ViewConfig, picture: tuple[int, int]) -> _Fitted:
    nominal = config.size
    if min(nominal) < 1 or abs(picture[0] * nominal[1] / (picture[1] * nominal[0]) - 1) > _SHAPE:
        raise Misaligned(
            f"pictures are {picture[0]}x{picture[1]} pixels, the view was measured in {nominal[0]}x{nominal[1]}; "
            "set the camera's size to that, or measure view anew"
        )
    scale = np.array([picture[0] / nominal[0], picture[1] / nominal[1]])
    if config.region is not None:
        return _region(config.region, nominal, picture, scale)
    assert config.corners is not None
    return _corners(np.array(config.corners, np.float64), nominal, picture, scale)


def _region(
    region: tuple[int, int, int, int], nominal: tuple[int, int], picture: tuple[int, int], scale: F64
) -> _Fitted:
    x, y, width, height = region
    if x < 0 or y < 0 or x + width > nominal[0] or y + height > nominal[1]:
        raise Misaligned(
            f"region [{x}, {y}, {width}, {height}] is not within {nominal[0]}x{nominal[1]} pixels; measure it anew"
        )
    left, top = (int(value) for value in np.rint(scale * (x, y)))
    right, bottom = (int(value) for value in np.rint(scale * (x + width, y + height)))
    _check_sides(right - left, bottom - top, "region")
    matrix = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
    return _Fitted(picture, right - left, bottom - top, matrix, (left, top))


def _corners(corners: F64, nominal: tuple[int, int], picture: tuple[int, int], scale: F64) -> _Fitted:
    if not np.isfinite(corners).all() or (corners < -_EDGE).any() or (corners > np.array(nominal) + _EDGE).any():
        raise Misaligned(f"corners are not within {nominal[0]}x{nominal[1]} pixels; measure them anew")
    corners = corners * scale
    sides = np.roll(corners, -1, axis=0) - corners  # top, right, bottom, left
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    # A turn, over the lengths of its two sides, is the sine of the angle between them.
    if lengths.min() < 1 or (turns / (lengths * np.roll(lengths, -1))).min() < 0.02:
        raise Misaligned("corners are no rectangle seen at an angle; give them clockwise, from its top left")
    width, height = round(max(lengths[0], lengths[2])), round(max(lengths[1], lengths[3]))
    _check_sides(width, height, "corners")
    front = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    return _Fitted(picture, width, height, _homography(corners, front), None)


def _check_sides(width: int, height: int, what: str) -> None:
    if min(width, height) < MIN_SIDE:
        raise Misaligned(
            f"{what}: {width}x{height} pixels of the picture is too small to hold a digit; "
            f"look at {MIN_SIDE} pixels a side at least"
        )


def _homography(points: F64, images: F64) -> F64:
    """float64 [3, 3] that takes four points [4, 2] to theirs (Hartley and Zisserman, Multiple View Geometry, 4.1)."""
    rows = []
    for (x, y), (u, v) in zip(points, images, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    return np.append(np.linalg.solve(np.array(rows), images.reshape(-1)), 1.0).reshape(3, 3)


def _moved(points: F64, matrix: F64) -> F64:
    whole = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return whole[:, :2] / whole[:, 2:]
