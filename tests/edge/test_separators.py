"""Marks between digits are told by their size and place, and dirt and parts of digits are none of them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import Reader
from edge.engine import EngineConfig
from edge.imaging.components import Component
from edge.row import Digit, Row, Separator
from edge.separators import find_separators
from training.synth.strokes import HandStyle, draw_hand

HEIGHT, STEP = 60, 50


def stroke(x, y, w, h):
    return Component((), x, y, w, h)


def row(count):
    """Digits 34 wide and 60 high, 50 apart, their head at 100."""
    strokes = [stroke(20 + i * STEP, 100, 34, HEIGHT) for i in range(count)]
    return [Digit("3", 0.9, (s.x, s.y, s.w, s.h)) for s in strokes], strokes


MARKS = {
    ".": [(57, 152, 8, 8)],
    ",": [(57, 150, 9, 22)],
    "-": [(55, 127, 13, 6)],
    "'": [(58, 98, 7, 12)],
    ":": [(58, 118, 7, 7), (58, 150, 7, 7)],
}


@pytest.mark.parametrize("text", MARKS)
@given(scale=st.floats(0.3, 4), gap=st.integers(0, 3))
@settings(max_examples=20)
def test_a_mark_is_told_at_any_size_and_between_any_digits(text, scale, gap):
    digits, strokes = row(4)
    marks = [stroke(x - STEP + STEP * gap, y, w, h) for x, y, w, h in MARKS[text]]
    larger = [stroke(*(round(scale * side) for side in (s.x, s.y, s.w, s.h))) for s in strokes + marks]
    boxes = [Digit(d.text, d.confidence, tuple(round(scale * side) for side in d.box)) for d in digits]
    found = find_separators(boxes, larger)
    assert [(mark.text, mark.after) for mark in found] == [(text, gap)]


@pytest.mark.parametrize(
    "mark",
    [
        (20, 100, 30, 8),  # the bar of a five
        (57, 152, 3, 3),  # dirt
        (55, 90, 14, 70),  # a slash, or part of a digit
        (300, 152, 8, 8),  # far away
    ],
)
def test_what_is_no_separator_is_none(mark):
    digits, strokes = row(3)
    assert find_separators(digits, [*strokes, stroke(*mark)]) == ()


def test_separators_stand_in_the_written_text():
    corners = ((0.0, 0.0),) * 4
    marks = (Separator(".", 1, (0, 0, 1, 1)), Separator(",", 4, (0, 0, 1, 1)), Separator("-", 6, (0, 0, 1, 1)))
    digits = tuple(Digit(text, 0.9, (0, 0, 1, 1)) for text in "123450")
    assert Row("123450", 0.9, digits, corners, marks).written == "1.234,50-"
    assert Row("12", 0.9, digits[:2], corners).written == "12"


def test_amounts_as_people_write_them_are_read_with_their_separators():
    reader, right, texts = Reader(engine=EngineConfig("cpu")), 0, ["1.380", "24,63", "8-503", "69.200", "70,84"]
    for seed, text in enumerate(texts * 3):
        found = reader.read(page(text, seed))
        right += len(found) == 1 and found[0].written == text
    assert right >= 12


def page(text, seed):
    """uint8 [H, W]: a row of the stroke model's, its marks with it."""
    rng = np.random.default_rng(seed)
    hand = draw_hand(rng, HandStyle(height=64, pen=(0.08, 0.1), slant=(0, 0.1), habit=(0, 0.004), jitter=(0, 0.003)))
    canvas, x = np.zeros((160, 60 * len(text) + 60), np.uint8), 30
    names = {".": ("dot", 64), ",": ("comma", 76), "-": ("dash", 36)}
    for sign in text:
        name, foot = names.get(sign, ("", 64))
        ink = hand.mark(name, rng) if name else hand.digit(int(sign), rng)
        y = 48 + foot - ink.shape[0]
        here = canvas[y : y + ink.shape[0], x : x + ink.shape[1]]
        cv2.max(here, ink, dst=here)
        x += ink.shape[1] + 9
    return np.round(230 - canvas[:, : x + 30] * 0.8).astype(np.uint8)
