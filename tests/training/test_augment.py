"""Augmented digits are still digits: other hands, pens and cameras, but never nothing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.imaging.normalise import normalise
from training.augment import CANVAS, Augmentation
from training.synth.strokes import HandStyle, draw_hand


def digit(label=2, seed=0, height=28):
    rng = np.random.default_rng(seed)
    return draw_hand(rng, HandStyle(height=height, pen=(0.09, 0.1))).digit(label, rng)


@given(st.integers(0, 9), st.integers(0, 10**6), st.sampled_from([20, 28, 48, 90]))
@settings(max_examples=150)
def test_a_clear_digit_is_never_lost(label, seed, height):
    ink = digit(label, seed % 50, height)
    out = Augmentation()(ink, np.random.default_rng(seed))
    assert out.dtype == np.uint8 and out.ndim == 2
    assert 0.01 < (out > 0).mean() < 0.7
    crop = normalise(out)
    assert crop.max() == 255 and 20 <= (crop > 60).sum() < 400


def test_the_same_generator_gives_the_same_and_another_another():
    ink = digit()
    one, again, other = (Augmentation()(ink, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == again.shape and (one == again).all()
    assert one.shape != other.shape or (one != other).any()


def test_the_digit_that_was_handed_in_is_left_alone():
    ink = digit()
    before = ink.copy()
    Augmentation()(ink, np.random.default_rng(0))
    assert (ink == before).all()


def test_without_any_range_a_digit_is_only_set_on_the_canvas():
    still = Augmentation(turn=0, slant=0, stretch=0, bend=0)
    ink = np.pad(np.full((32, 16), 255, np.uint8), 0)
    out = still.bent(ink, np.random.default_rng(0))
    x, y, w, h = cv2.boundingRect((out > 127).astype(np.uint8))
    assert out.shape == (CANVAS, CANVAS) and abs(h - 32) <= 1 and abs(w - 16) <= 1
    assert abs(x + w / 2 - CANVAS / 2) <= 1 and abs(y + h / 2 - CANVAS / 2) <= 1


@pytest.mark.parametrize("turn", [8.0, 20.0])
def test_turns_go_both_ways_as_far_as_asked(turn):
    bar = np.zeros((40, 40), np.uint8)
    bar[:, 18:22] = 255
    augment = Augmentation(turn=turn, slant=0, stretch=0, bend=0)
    angles = []
    for seed in range(120):
        m = cv2.moments(augment.bent(bar, np.random.default_rng(seed)))
        angles.append(np.degrees(0.5 * np.arctan2(2 * m["mu11"], m["mu20"] - m["mu02"])) % 180 - 90)
    assert np.abs(angles).max() <= turn + 1.5
    assert max(angles) > 0.7 * turn and min(angles) < -0.7 * turn


def test_pens_differ_and_none_leaves_nothing():
    ink = np.zeros((CANVAS, CANVAS), np.uint8)
    ink[8:40, 20:26] = 255
    amounts = [
        (Augmentation().redrawn(ink, np.random.default_rng(seed)) > 127).sum() / (ink > 0).sum() for seed in range(80)
    ]
    assert max(amounts) > 1.2 and min(amounts) < 1.02 and min(amounts) > 0.2


def test_the_thinnest_line_is_still_there_whatever_the_pen():
    ink = np.zeros((CANVAS, CANVAS), np.uint8)
    ink[8:40, 22] = 255
    for seed in range(80):
        assert (Augmentation().redrawn(ink, np.random.default_rng(seed)) > 60).any(1)[10:38].all()


def test_sensors_differ_in_size_and_leave_clean_paper():
    ink = np.zeros((CANVAS, CANVAS), np.uint8)
    ink[8:40, 20:26] = 255
    seen = [Augmentation().photographed(ink, np.random.default_rng(seed)) for seed in range(60)]
    sizes = {out.shape[0] for out in seen}
    assert min(sizes) < 30 and max(sizes) > 60
    for out in seen:
        assert (out[:, : out.shape[1] // 4] == 0).mean() > 0.99
