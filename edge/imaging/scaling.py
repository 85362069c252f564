"""Smaller pictures, each pixel the mean of those it stands for; by halves first, which are several times as quick."""

import cv2

from edge.arrays import U8, u8


def halved(plane: U8, times: int) -> U8:
    """The plane, uint8 [H, W], halved so often; lines and columns that are left over at its ends go."""
    height, width = (side >> times << times for side in plane.shape)
    plane = plane[:height, :width]
    for _ in range(times):
        height, width = height // 2, width // 2
        plane = u8(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))
    return plane


def halvings(scale: float) -> int:
    """How often a plane that is to have `scale` of its size, above 0, may be halved before: the rest is above half."""
    times = 0
    while scale <= 0.5:
        times, scale = times + 1, 2 * scale
    return times


def shrunk(plane: U8, scale: float) -> U8:
    """The plane, uint8 [H, W], at `scale` of its size, 0 < `scale` < 1: at least one pixel."""
    times = halvings(scale)
    height, width = (max(1, round((side >> times << times) * scale)) for side in plane.shape)
    plane = halved(plane, times) if min(plane.shape) >> times else plane
    return u8(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))
