"""Segments of a display that stand apart are bridged, and nothing else is."""

import cv2
import numpy as np
import pytest

from edge.imaging.components import find_components
from edge.imaging.cuts import cut
from edge.imaging.segments import segments_apart
from training.synth.displays import Display
from training.synth.strokes import HandStyle, draw_hand


def shown(text: str, gap: float, slant: float = 0.0, turn: float = 0.0) -> np.ndarray:
    """A display's mask: digits 100 pixels high, pens of 12, segments `gap` of the height apart, turned by degrees."""
    display = Display(100, 0.55, 0.12, gap, slant)
    digits = [display.digit(int(one), np.random.default_rng(0)) for one in text]
    high = max(digit.shape[0] for digit in digits)
    row = np.hstack([np.pad(digit, ((high - digit.shape[0], 0), (0, 30))) for digit in digits])
    mask = np.pad((row > 127).astype(np.uint8) * 255, 80)
    middle = mask.shape[1] / 2, mask.shape[0] / 2
    return cv2.warpAffine(mask, cv2.getRotationMatrix2D(middle, turn, 1), mask.shape[::-1], flags=cv2.INTER_NEAREST)


@pytest.mark.parametrize("turn", [0, 6])
@pytest.mark.parametrize("slant", [0, 0.15])
def test_bridges_join_each_digit_and_no_two(slant, turn):
    text = "2580369"
    mask = shown(text, 0.04, slant, turn)
    bridge = segments_apart(find_components(mask))
    assert 7 <= bridge <= 14
    bridged = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((bridge, bridge), np.uint8))
    assert len(find_components(bridged)) == len(text) < len(find_components(mask))


def test_whole_digits_of_a_display_and_a_lone_one_are_left_alone():
    assert segments_apart(find_components(shown("2580369", 0.0))) == 0
    assert segments_apart(find_components(shown("1", 0.04))) == 0
    assert segments_apart([]) == 0


def test_upright_strokes_alone_are_ones_not_segments():
    assert segments_apart(find_components(shown("111111", 0.04))) == 0


@pytest.mark.parametrize("seed", range(8))
def test_handwriting_is_left_alone(seed):
    rng = np.random.default_rng(seed)
    hand = draw_hand(rng, HandStyle(height=80))
    row = [cv2.resize(hand.digit(int(one), rng), (50, 80)) for one in "4172573114"]
    mask = np.pad((np.hstack([np.pad(ink, 15) for ink in row]) > 100).astype(np.uint8) * 255, 40)
    assert segments_apart(find_components(mask)) == 0


def test_a_stroke_that_is_all_bridge_is_not_cut():
    (stroke,) = find_components(np.pad(np.full((40, 90), 255, np.uint8), 10))
    assert cut(stroke, np.zeros((60, 110), np.uint8), 40.0, 0.0) == [stroke]
