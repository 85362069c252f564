"""Any picture gives rows that hold together, or none; what is no picture is refused."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.edge.pages import assert_valid


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 50), np.uint16),
        np.zeros((50, 50), np.float32),
        np.zeros((50, 50), bool),
        np.zeros((50, 50, 4), np.uint8),
        np.zeros((50, 50, 1), np.uint8),
        np.zeros((2, 50, 50, 3), np.uint8),
        np.zeros(50, np.uint8),
        [[0, 255], [255, 0]],
        None,
    ],
    ids=lambda image: f"{getattr(image, 'dtype', type(image).__name__)}{getattr(image, 'shape', '')}",
)
def test_what_is_no_uint8_picture_is_a_value_error_that_says_so(reader, image):
    with pytest.raises(ValueError, match=r"^image: .* wanted, not ") as caught:
        reader.read(image)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (11, 400), (400, 11), (3, 3, 3), (0, 40, 3)])
def test_a_picture_too_small_for_a_digit_has_no_rows(reader, shape):
    assert reader.read(np.full(shape, 200, np.uint8)) == []


@pytest.mark.parametrize("tone", [0, 7, 128, 255])
@pytest.mark.parametrize("shape", [(12, 12), (200, 300), (480, 640, 3), (12, 5000), (3000, 14)])
def test_a_blank_picture_has_no_rows(reader, tone, shape):
    assert reader.read(np.full(shape, tone, np.uint8)) == []


def test_noisy_paper_without_ink_has_no_rows(reader):
    rng = np.random.default_rng(0)
    assert reader.read(rng.normal(200, 2, (300, 400)).clip(0, 255).astype(np.uint8)) == []


@st.composite
def doodles(draw):
    """Random strokes, blobs and noise on paper of any tone: uint8 [H, W] or [H, W, 3]."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    h, w = draw(st.integers(12, 220)), draw(st.integers(12, 320))
    image = np.full((h, w, 3), draw(st.integers(0, 255)), np.uint8)
    for _ in range(draw(st.integers(0, 25))):
        a, b = rng.integers(0, (w, h), (2, 2)).tolist()
        colour = rng.integers(0, 256, 3).tolist()
        if rng.random() < 0.7:
            cv2.line(image, a, b, colour, int(rng.integers(1, 9)))
        else:
            cv2.circle(image, a, int(rng.integers(1, 30)), colour, -1)
    noise = rng.normal(0, draw(st.sampled_from([0, 2, 30])), image.shape)
    image = (image + noise).clip(0, 255).astype(np.uint8)
    return image if draw(st.booleans()) else image[:, :, 0].copy()


small = arrays.arrays(np.uint8, st.tuples(st.integers(0, 16), st.integers(0, 16)))


@given(st.one_of(doodles(), small))
@example(np.indices((40, 60)).sum(0).astype(np.uint8) % 2 * 255)
@example(np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8))
@settings(max_examples=120)
def test_any_picture_gives_valid_rows(reader, image):
    assert_valid(reader.read(image), image.shape)
