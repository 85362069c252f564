"""A picture is read again when something was written, put down or moved in it, and not for noise or dimmed light."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.changes import Changes

SIZE = 720, 1280


def paper(seed: int, sigma: float, light: float = 1.0, pale: int | None = None, at: int = 600) -> np.ndarray:
    """A sheet with a shadow; pale: how much darker a digit in thin pencil is, at column `at`."""
    rng = np.random.default_rng(seed)
    clean = np.linspace(200, 150, SIZE[1], dtype=np.float32)[None, :, None].repeat(SIZE[0], 0).repeat(3, 2)
    if pale is not None:
        ink = np.zeros(SIZE, np.uint8)
        cv2.putText(ink, "7", (at, 400), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 3)
        clean -= ink[..., None] / np.float32(255) * pale
    noisy = clean * light + rng.normal(0, sigma, clean.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def changes_after(image: np.ndarray) -> Changes:
    changes = Changes()
    assert changes.since_read(image)  # the first is always new
    changes.read(image)
    return changes


@pytest.mark.parametrize("sigma", [0, 3, 8])
def test_noise_is_nothing_new(sigma):
    changes = changes_after(paper(0, sigma))
    assert not any(changes.since_read(paper(seed, sigma)) for seed in range(1, 6))


@settings(max_examples=4)
@given(light=st.floats(0.9, 1.08), seed=st.integers(0, 99))
def test_light_that_dims_a_little_is_nothing_new(light, seed):
    assert not changes_after(paper(seed, 3)).since_read(paper(seed + 1, 3, light))


@pytest.mark.parametrize("sigma", [0, 3, 8])
@pytest.mark.parametrize("pale", [30, 120])
def test_a_pencilled_digit_is_new_and_so_is_its_leaving(sigma, pale):
    assert changes_after(paper(0, sigma)).since_read(paper(1, sigma, pale=pale))
    assert changes_after(paper(0, sigma, pale=pale)).since_read(paper(1, sigma))


def test_a_row_moved_by_a_digits_width_is_new():
    assert changes_after(paper(0, 3, pale=120)).since_read(paper(1, 3, pale=120, at=630))


def test_what_grows_slowly_is_new_once_it_differs_from_what_was_read():
    changes = changes_after(paper(0, 3))
    seen = [changes.since_read(paper(step, 3, pale=step)) for step in range(2, 60)]
    assert not seen[0] and seen[-1]


def test_another_size_is_new_and_grey_pictures_are_taken():
    changes = changes_after(paper(0, 3))
    assert changes.since_read(paper(1, 3)[:480, :640])
    small = np.full((20, 50), 128, np.uint8)
    grey = changes_after(small)
    assert not grey.since_read(small) and grey.since_read(cv2.rectangle(small.copy(), (5, 5), (9, 9), 60, -1))
    grey.forget()
    assert grey.since_read(small)
