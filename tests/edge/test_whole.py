"""Where more is looked for beyond a row's end, and when that is taken to be of the row."""

import numpy as np
import pytest

from edge.imaging.components import Component
from edge.imaging.ink import Ink
from edge.imaging.lines import Line
from edge.sequence import BLANK
from edge.whole import Seen, _continues, _longer

SPELLING = (BLANK, *"0123456789")
NOTHING = Ink(np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8))


def seen(text, places, sure=()):
    """A row's digits at these steps of one pixel each; sure: of the first of them, the others being surer."""
    steps = np.full((max(places) + 3, len(SPELLING)), 0.001)
    steps[:, 0] = 0.99
    for i, (label, place) in enumerate(zip(text, places, strict=True)):
        share = sure[i] if i < len(sure) else 0.99
        steps[place] = (1 - share) / 10
        steps[place, SPELLING.index(label)] = share
    line = Line([], NOTHING, 0.0, float(len(steps)), 0.0, 20.0, None)
    return Seen(line, [np.log(steps).astype(np.float32)], np.arange(len(steps) + 1.0), text, -0.1)


@pytest.mark.parametrize(
    ("longer", "is_longer"),
    [
        (seen("4817", (5, 15, 25, 35)), True),
        (seen("7481", (5, 15, 25, 35)), True),
        (seen("74812", (5, 15, 25, 35, 45)), True),
        (seen("481", (5, 15, 25)), False),
        (seen("48", (5, 15)), False),
        (seen("4617", (5, 15, 25, 35)), False),  # not what was read
        (seen("7481", (5, 15, 25, 35), (0.7,)), False),  # not sure
        (seen("4817", (5, 15, 25, 43)), False),  # too far off
        (seen("7481", (1, 15, 25, 35)), True),
        (seen("7481", (0, 15, 25, 35)), False),
        (seen("4817", (5, 15, 25, 28)), False),  # too near
    ],
)
def test_a_row_continues_where_sure_digits_stand_in_step_beyond_what_was_read(longer, is_longer):
    assert _continues(longer, seen("481", (5, 15, 25))) is is_longer


@pytest.mark.parametrize(
    ("digits", "beyond", "ends"),
    [
        ([(100, 130), (140, 170), (180, 210)], [], ""),
        ([(100, 130), (140, 170), (180, 210)], [(60, 90)], "left"),
        ([(100, 130), (140, 170), (180, 210)], [(225, 250)], "right"),
        ([(100, 130), (140, 170), (180, 210)], [(60, 90), (225, 250)], "left right"),
        ([(100, 130), (140, 170), (180, 210)], [(20, 50), (270, 290)], ""),  # further off than one digit
        ([(90, 130), (140, 170), (180, 220)], [], ""),  # broad ends, that reach to where a digit may be, are none
        ([(90, 130), (140, 170), (180, 220)], [(68, 82)], "left"),
        ([(20, 290)], [], ""),  # one stroke, as of a frame, is no end
    ],
)
def test_more_is_looked_for_beyond_an_end_where_something_stands_that_is_not_the_row_itself(digits, beyond, ends):
    """digits: left and right of the strokes of a row, read at 120, 155 and 190, 30 pixels tall; beyond: of pale ink."""
    strength = np.zeros((60, 320), np.uint8)
    for strokes, dark in ((beyond, 90), (digits, 220)):
        for left, right in strokes:
            strength[15:45, left:right] = dark
    if len(digits) == 1:
        strength[18:42, 23:287] = 0
    steps = np.log(np.full((320, len(SPELLING)), 1e-3))
    steps[:, 0] = 0.0
    for place, label in zip((120, 155, 190), "481", strict=True):
        steps[place, SPELLING.index(label)] = 1.0
    strokes = [Component((), left, 15, right - left, 30) for left, right in digits]
    line = Line(strokes, Ink(strength, strength), digits[0][0], digits[-1][1], 15.0, 30.0, None)
    longer = _longer(Seen(line, [steps.astype(np.float32)], np.arange(321.0), "481", -0.1))
    found = [] if longer is None else ["left"] * (longer.left < line.left) + ["right"] * (longer.right > line.right)
    assert " ".join(found) == ends
