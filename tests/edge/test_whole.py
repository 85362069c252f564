"""When a row that is read on beyond its end is taken to be the longer one."""

import numpy as np
import pytest

from edge.imaging.ink import Ink
from edge.imaging.lines import Line
from edge.sequence import BLANK
from edge.whole import Seen, _continues

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
