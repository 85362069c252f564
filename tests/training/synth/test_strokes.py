"""The stroke model draws every digit in every way, whole, cropped, and the same for the same seed."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.synth import glyphs, spline
from training.synth.strokes import MARKS, HandStyle, cropped, draw_hand, hand_of, ink_box

VARIANTS = [(digit, name) for digit, variants in glyphs.DIGITS.items() for name in variants]
HOLES = {
    (0, "oval"): 1,
    (0, "round"): 1,
    (1, "plain"): 0,
    (2, "plain"): 0,
    (3, "round top"): 0,
    (4, "open"): 0,
    (4, "closed"): 1,
    (5, "joined"): 0,
    (6, "closed"): 1,
    (7, "crossed"): 0,
    (8, "one stroke"): 2,
    (8, "two rings"): 2,
    (9, "straight tail"): 1,
}
USUAL = HandStyle()
TIDY = HandStyle(
    pen=(0.06, 0.06),
    slant=(0, 0),
    aspect=(1, 1),
    roundness=(0, 0),
    habit=(0, 0),
    jitter=(0, 0),
    tremor=(0, 0),
)


def drawn(digit, name, seed=0, style=USUAL):
    rng = np.random.default_rng(seed)
    shapes = tuple(glyphs.parse(glyphs.DIGITS[d][name]) if d == digit else () for d in range(10))
    return hand_of(shapes, rng, style).digit(digit, rng)


@pytest.mark.parametrize(("digit", "name"), VARIANTS)
def test_every_variant_is_ink_from_edge_to_edge(digit, name):
    for seed in range(8):
        ink = drawn(digit, name, seed)
        assert ink.dtype == np.uint8
        assert ink.max() == 255
        dark = ink > 32
        assert dark[0].any() and dark[-1].any() and dark[:, 0].any() and dark[:, -1].any()
        assert 60 <= ink.shape[0] <= 120
        assert 0.02 < dark.mean() < 0.95


@pytest.mark.parametrize(("digit", "name"), list(HOLES))
def test_a_tidy_digit_has_as_many_holes_as_its_shape(digit, name):
    ink = cv2.copyMakeBorder(drawn(digit, name, style=TIDY), 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    _, _, stats, _ = cv2.connectedComponentsWithStats((ink <= 32).astype(np.uint8), connectivity=4)
    # Specks of paper between crossing strokes are no holes.
    assert (stats[1:, cv2.CC_STAT_AREA] > 12).sum() - 1 == HOLES[digit, name]


def test_a_seed_gives_the_same_bytes_and_another_does_not():
    def write(seed):
        rng = np.random.default_rng(seed)
        hand = draw_hand(rng)
        return [hand.digit(d, rng).tobytes() for d in range(10)]

    assert write(3) == write(3)
    assert all(a != b for a, b in zip(write(3), write(4), strict=True))


def test_a_hand_writes_a_digit_a_little_differently_each_time():
    rng = np.random.default_rng(0)
    hand = draw_hand(rng)
    first, second = hand.digit(8, rng), hand.digit(8, rng)
    assert first.tobytes() != second.tobytes()
    assert abs(first.shape[0] - second.shape[0]) < 0.15 * first.shape[0]


def test_height_and_pen_are_in_pixels_and_heights():
    style = HandStyle(
        height=200, pen=(0.1, 0.1), slant=(0, 0), aspect=(1, 1), habit=(0, 0), jitter=(0, 0), pressure=(0, 0),
        tremor=(0, 0), turn=(0, 0)
    )  # fmt: skip
    one = drawn(1, "plain", style=style)
    assert abs(one.shape[0] - 220) <= 4
    assert abs(np.median((one > 127).sum(1)) - 20) <= 3


@pytest.mark.parametrize("kind", MARKS)
def test_every_mark_is_ink(kind):
    rng = np.random.default_rng(1)
    mark = draw_hand(rng).mark(kind, rng)
    assert mark.dtype == np.uint8 and mark.max() > 200 and (mark > 32)[0].any() and (mark > 32)[:, -1].any()


@given(count=st.integers(2, 12), steps=st.integers(1, 9), roundness=st.floats(0, 1), data=st.data())
@settings(max_examples=60)
def test_a_spline_passes_its_points_and_moves_with_them(count, steps, roundness, data):
    corners = tuple(sorted(data.draw(st.sets(st.integers(0, count - 1)))))
    matrix = spline.basis(count, corners, steps, roundness)
    points = np.random.default_rng(count).normal(size=(count, 2))
    assert matrix.shape == ((count - 1) * steps + 1, count)
    np.testing.assert_allclose((matrix @ points)[::steps], points, atol=1e-9)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-9)


def test_a_corner_is_sharper_than_a_smooth_point():
    points = np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.0, 0.5], [1.0, 1.0]])
    sharp, smooth = (spline.basis(5, (2,), 8, roundness) @ points for roundness in (0.0, 1.0))
    assert sharp.max() <= 1 + 1e-9
    assert smooth.max() > 1.01


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(1, 9))
def test_cropping_keeps_exactly_the_ink(x, y, w, h):
    picture = np.zeros((40, 40), np.uint8)
    picture[y : y + h, x : x + w] = 200
    assert ink_box(picture) == (x, y, w, h)
    assert cropped(picture).shape == (h, w) and cropped(picture).min() == 200
