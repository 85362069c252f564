"""Digits of seven segments: lit as on a clock, each apart from the others."""

import cv2
import numpy as np
import pytest

from training.synth.displays import Display, DisplaySource

DISPLAY = Display(height=100, width=0.5, breadth=0.1, gap=0.03, slant=0.0)


@pytest.mark.parametrize(
    ("label", "count"), [(0, 6), (1, 2), (2, 5), (3, 5), (4, 4), (5, 5), (6, 6), (7, 3), (8, 7), (9, 6)]
)
def test_a_digit_lights_its_segments_and_they_do_not_touch(label, count):
    ink = DISPLAY.digit(label, np.random.default_rng(0))
    contours, _ = cv2.findContours((ink > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    assert len(contours) == count


def test_digits_differ_and_a_two_is_a_five_in_the_mirror():
    inks = [DISPLAY.digit(label, np.random.default_rng(0)) for label in range(10)]
    assert len({ink.tobytes() for ink in inks}) == 10
    apart = [cv2.absdiff(inks[2], inks[label][:, ::-1]).mean() for label in (5, 6, 0)]
    assert apart[0] < 15 < min(apart[1:])  # the rims are half a pixel off


def test_displays_differ_in_width_and_slant():
    displays = [DisplaySource().writer(np.random.default_rng(seed)) for seed in range(20)]
    shapes = {display.digit(8, np.random.default_rng(0)).shape for display in displays}
    assert len(shapes) > 8
