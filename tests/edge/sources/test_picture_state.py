"""Frozen and dark cameras, told from their pictures."""

import functools
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from edge.sources.picture_state import PictureState

RATE = 15


@functools.cache
def scene(x: int = 40, width: int = 640, height: int = 480) -> np.ndarray:
    image = np.full((height, width, 3), 230, np.uint8)
    cv2.putText(image, "60714", (x, height // 2), cv2.FONT_HERSHEY_SIMPLEX, 4, (20, 20, 20), 8, cv2.LINE_AA)
    return image


def noisy(image: np.ndarray, rng: np.random.Generator, sigma: float = 3) -> np.ndarray:
    """The picture with a sensor's noise, cut each time from another place of one large field of it."""
    at = rng.integers(0, 256, 2)
    height, width = image.shape[:2]
    noise = field(sigma)[at[0] : at[0] + height, at[1] : at[1] + width]
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@functools.cache
def field(sigma: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, sigma, (736, 896, 3)).round().astype(np.int16)


def frozen_by_an_encoder(image: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The same picture, but for a little at each key frame, as x264 makes of it."""
    now = image
    while True:
        for number in range(RATE):
            if number == 0:
                now = noisy(image, rng, 1.1)
            yield now


def verdicts(state: PictureState, pictures: Callable[[], np.ndarray], seconds: float, start: float = 0) -> list[str]:
    return [state.look(pictures(), start + number / RATE) for number in range(round(seconds * RATE))]


@pytest.mark.parametrize("stuck", ["exact", "nearly"])
def test_a_still_camera_is_not_frozen_because_its_noise_shows_that_it_lives(stuck: str) -> None:
    rng, image = np.random.default_rng(1), scene()
    assert set(verdicts(PictureState(stuck), lambda: noisy(image, rng), 12)) == {"online"}


@pytest.mark.parametrize("stuck", ["exact", "nearly"])
def test_the_same_picture_for_seconds_is_frozen_and_online_again_at_the_first_that_moves(stuck: str) -> None:
    image, state = scene(), PictureState(stuck)
    told = verdicts(state, lambda: image, 8)
    assert told[0] == "online" and told[-1] == "frozen"
    assert 4.5 <= told.index("frozen") / RATE <= 6
    assert state.look(scene(60), 8) == "online"


def test_a_picture_frozen_before_an_encoder_is_told_though_its_bits_change() -> None:
    rng = np.random.default_rng(2)
    frozen = frozen_by_an_encoder(noisy(scene(), rng), rng)
    state = PictureState("nearly")
    told = verdicts(state, lambda: next(frozen), 12)
    assert told[-1] == "frozen" and "online" not in told[told.index("frozen") :]
    assert set(verdicts(PictureState("exact"), lambda: next(frozen), 12)) == {"online"}


def test_noise_alone_ends_a_freeze_within_a_second() -> None:
    rng, image, state = np.random.default_rng(3), scene(), PictureState("nearly")
    assert verdicts(state, lambda: image, 8)[-1] == "frozen"
    assert verdicts(state, lambda: noisy(image, rng), 1, 8)[-1] == "online"


def test_one_digit_that_changes_is_life_though_the_rest_is_coded_to_the_same_bits() -> None:
    state = PictureState("nearly")
    now = [0]

    def meter() -> np.ndarray:
        now[0] += 1
        image = np.full((720, 1280, 3), 200, np.uint8)
        cv2.putText(image, str(now[0] // 45 % 10), (600, 400), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 4)
        return image

    assert set(verdicts(state, meter, 15)) == {"online"}


def test_black_pictures_are_dark_after_a_second_and_no_longer_at_the_first_bright_one() -> None:
    state, black = PictureState("exact"), np.zeros((480, 640, 3), np.uint8)
    told = verdicts(state, lambda: black, 8)
    assert told[0] == "online" and 0.9 <= told.index("dark") / RATE <= 1.2
    assert set(told[told.index("dark") :]) == {"dark"}
    assert state.look(scene(), 8) == "online"


def test_a_lens_cap_with_noise_is_dark_and_figures_that_glow_in_the_dark_are_not() -> None:
    rng, black = np.random.default_rng(4), np.zeros((480, 640, 3), np.uint8)
    assert verdicts(PictureState("nearly"), lambda: noisy(black, rng), 3)[-1] == "dark"
    glowing = 255 - scene()
    glowing[glowing < 60] = 0
    assert set(verdicts(PictureState("nearly"), lambda: noisy(glowing, rng), 3)) == {"online"}


def test_a_film_is_never_frozen() -> None:
    image = scene()
    assert set(verdicts(PictureState(None), lambda: image, 10)) == {"online"}


def test_a_changed_size_is_a_new_beginning() -> None:
    state = PictureState("exact")
    assert verdicts(state, lambda: scene(), 8)[-1] == "frozen"
    assert state.look(scene(width=1280, height=720), 8) == "online"
    assert state.look(scene(width=13, height=12), 9) == "online"
