"""The strip a sequence model sees: level, of one height, as dark as its own ink."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.imaging.ink import Ink
from edge.imaging.strip import BESIDE, DIGIT, HEIGHT, LONGEST, strip


def bars(height, count=3, strength=200, top=40):
    """Ink with `count` upright bars `height` pixels tall, a height apart, the first a height from the left."""
    ink = np.zeros((2 * top + height, (2 * count + 2) * height), np.uint8)
    for i in range(count):
        left = (1 + 2 * i) * height
        ink[top : top + height, left : left + max(2, height // 4)] = strength
    return Ink(ink, np.where(ink > 0, 255, 0).astype(np.uint8))


def cut(ink, height, count=3, top=40):
    return strip(ink, height, (2 * count - 1) * height + height // 4, top + height / 2, height)


@pytest.mark.parametrize("height", [9, 20, 31, 80, 300])
def test_digits_of_any_height_come_out_as_tall_as_those_of_any_other(height):
    seen = cut(bars(height), height)
    rows = np.flatnonzero(seen.max(1) > 127)
    assert abs(rows[-1] - rows[0] + 1 - DIGIT) <= 2
    assert abs((rows[-1] + rows[0]) / 2 - (HEIGHT - 1) / 2) <= 1.5
    starts = np.flatnonzero(np.diff((seen.max(0) > 127).astype(int)) == 1)
    assert len(starts) == 3 and np.diff(starts) == pytest.approx([2 * DIGIT] * 2, abs=2)


@pytest.mark.parametrize("strength", [40, 90, 255])
def test_a_pencil_comes_out_as_dark_as_a_pen(strength):
    assert cut(bars(40, strength=strength), 40).max() == 255


@pytest.mark.parametrize(("dark_rows", "others"), [(30, 127), (6, 255)])
def test_the_darkest_fifth_of_a_rows_ink_says_how_dark_it_is(dark_rows, others):
    ink = bars(40, strength=100)
    ink.strength[40 : 40 + dark_rows, 40:50] = 200  # of the first of three bars of 40
    assert abs(int(cut(ink, 40)[:, -45:].max()) - others) <= 3


def test_faint_strokes_that_the_mask_leaves_out_are_still_there():
    ink = bars(40)
    ink.strength[60:64, 60:100] = 60
    first = round(BESIDE * DIGIT)
    assert (
        cut(ink, 40)[14:18].max(0)[first + 11 : first + 29].min() > 20
    )  # from the first bar on, to the paper before the second


def test_nothing_is_lost_at_the_pictures_edge():
    whole = bars(40)
    tight = Ink(*(np.ascontiguousarray(plane[40:-40, 40:-60]) for plane in (whole.strength, whole.mask)))
    seen = strip(tight, 0, 170, 20, 40)
    assert seen.shape == cut(whole, 40).shape
    assert np.abs(seen.astype(float) - cut(whole, 40)).mean() < 5


@pytest.mark.parametrize("degrees", [-15, -4, 3, 12])
@pytest.mark.parametrize("height", [18, 40, 110])
def test_a_turned_row_gives_the_strip_of_a_level_one(degrees, height):
    level = bars(height)
    shape = level.strength.shape[::-1]
    side = int(np.hypot(*shape)) + 2
    turn = cv2.getRotationMatrix2D((shape[0] / 2, shape[1] / 2), degrees, 1)
    turn[:, 2] += (side - shape[0]) / 2, (side - shape[1]) / 2
    strength, mask = (cv2.warpAffine(plane, turn, (side, side)) for plane in (level.strength, level.mask))
    place = height, 5 * height + height // 4, 40 + height / 2, height
    seen = strip(Ink(strength, (mask > 127).astype(np.uint8) * 255), *place, turn)
    want = strip(level, *place)
    assert seen.shape == want.shape
    assert np.corrcoef(seen.ravel(), want.ravel())[0, 1] > 0.95


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 400)),
    st.floats(-500, 500),
    st.floats(-10, 1e5),
    st.floats(-500, 500),
    st.floats(1, 400),
    st.integers(0, 10**6),
)
@settings(max_examples=150)
def test_any_row_gives_a_strip_that_the_model_takes(size, left, width, middle, height, seed):
    strength = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    mask = np.where(strength > 128, 255, 0).astype(np.uint8)
    seen = strip(Ink(strength, mask), left, left + width, middle, height)
    assert seen.dtype == np.uint8 and seen.shape[0] == HEIGHT
    assert seen.shape[1] % 4 == 0 and 8 <= seen.shape[1] <= LONGEST
