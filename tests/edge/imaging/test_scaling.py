"""Smaller pictures: means of what they stand for, of the size that was asked for."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.imaging.scaling import halved, halvings, shrunk

PLANES = st.tuples(st.integers(1, 90), st.integers(1, 90), st.integers(0, 1000)).map(
    lambda sides: np.random.default_rng(sides[2]).integers(0, 256, sides[:2], np.uint8)
)


@given(PLANES, st.integers(0, 4))
def test_a_half_is_the_mean_of_each_four_pixels(plane, times):
    if min(plane.shape) >> times == 0:
        return
    height, width = (side >> times for side in plane.shape)
    part = plane[: height << times, : width << times].astype(float)
    means = part.reshape(height, 1 << times, width, 1 << times).mean((1, 3))
    assert halved(plane, times).shape == (height, width)
    assert np.abs(halved(plane, times) - means).max() <= times  # each halving rounds


@given(PLANES, st.floats(0.01, 0.99))
def test_any_plane_shrinks_to_a_pixel_at_least(plane, scale):
    small = shrunk(plane, scale)
    assert small.dtype == np.uint8 and min(small.shape) >= 1
    # What is left over at the ends of a halving goes before the rest is measured.
    spare = scale * (1 << halvings(scale)) + 0.5
    assert all(abs(got - side * scale) <= max(spare, 1) for got, side in zip(small.shape, plane.shape, strict=True))


def test_what_is_left_after_the_halvings_is_more_than_half():
    assert [halvings(scale) for scale in (0.99, 0.51, 0.5, 0.26, 0.25, 0.1)] == [0, 0, 1, 1, 2, 3]


def test_a_smooth_picture_shrinks_as_opencv_shrinks_it():
    y, x = np.mgrid[:300, :400]
    plane = (128 + 60 * np.sin(x / 40) + 60 * np.cos(y / 30)).astype(np.uint8)
    for scale in (0.7, 0.4, 0.21, 0.1):
        opencvs = cv2.resize(plane, (round(400 * scale), round(300 * scale)), interpolation=cv2.INTER_AREA)
        small = shrunk(plane, scale)
        height, width = min(len(small), len(opencvs)), min(small.shape[1], opencvs.shape[1])
        assert np.abs(small[:height, :width].astype(int) - opencvs[:height, :width]).mean() < 3
