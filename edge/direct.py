"""Rows that the sequence model is sure of by itself: its text, each digit placed by the strokes it was seen in.

Most rows are such, and cost a call of that model and no more: no cuts, no candidates, no second model.
"""

import math
from collections.abc import Sequence
from operator import mul

import numpy as np

from edge.arrays import F32, F64
from edge.decode import Decoded, is_large
from edge.imaging.components import Component
from edge.row import Box, Digit
from edge.sequence import align

SURE = 0.9
"""Probability of a text from which the candidates are not asked. On 900 pictures of `benchmarks.accuracy`'s six kinds,
generated ones by held-out writers, 0.9 read as many rows rightly as 0.95, in four fifths of the time.
"""

SURE_AGAIN = 0.7
"""Likewise after other looks, as the geometric mean of all."""

_TALL = 0.75  # of the row's height: what is a digit, or a letter, or ink of another kind, however narrow, but no mark
_BESIDE = 0.35  # of the row's height: a stroke this near to a digit's middle is part of it, one further off a mark
_LEAST = 0.5  # of the same: what a digit is wide at least where no stroke is its own

# Logistic regression: 1; log-odds of the text; whether it is one digit. The first two by `python -m training.confidence
# --longest --count 320`, the last without `--longest`, since digits on their own are hardly ever the longest row.
CALIBRATION = (1.207, 0.686, -2.209)


def read_off(
    text: Sequence[int],
    likelihood: float,
    steps: F32,
    labels: Sequence[str],
    columns: F64,
    strokes: Sequence[Component],
    height: float,
) -> Decoded | None:
    """A row as the sequence model spells it; None where a stroke as large as a digit is none of its digits: a letter,
    which that model passes over like dirt.

    text: indices of `labels`; likelihood: its natural logarithm; steps: float32 [T, K]; columns: float64 [T + 1], where
    in the row each step's left edge is, pixels; strokes: the row's, left to right; height: of its digits, pixels.
    """
    spelt = align(steps, text)
    middles = spelt.middles(columns)
    if _leaves_figures(middles, strokes, height):
        return None
    share = min(max(math.exp(likelihood), 1e-6), 1 - 1e-6)
    signs = (1.0, math.log(share / (1 - share)), float(len(text) == 1))
    confidence = 1 / (1 + math.exp(-sum(map(mul, signs, CALIBRATION))))
    sure = spelt.sureness(steps)
    digits = tuple(
        Digit(labels[k], one, box)
        for k, one, box in zip(
            spelt.labels, shared(confidence, np.exp(sure)), places(middles, strokes, height), strict=True
        )
    )
    return Decoded(digits, confidence, signs)


def _leaves_figures(middles: Sequence[float], strokes: Sequence[Component], height: float) -> bool:
    """Whether there is a stroke as large as a digit that holds none."""
    return any(
        (stroke.h >= _TALL * height or is_large(stroke.w, stroke.h, height))
        and not any(stroke.x - 1 <= middle <= stroke.right + 1 for middle in middles)
        for stroke in strokes
    )


def shared(confidence: float, sure: Sequence[float] | F64) -> list[float]:
    """A row's confidence as the product of its digits', doubt falling to each as to the others it is less `sure`."""
    doubt = -np.log(np.clip(np.asarray(sure, np.float64), 1e-6, 1 - 1e-6))
    return [float(one) for one in confidence ** (doubt / doubt.sum())]


def places(middles: Sequence[float], strokes: Sequence[Component], height: float) -> list[Box]:
    """A box for each digit, x, y, width, height in pixels: round the strokes at its middle; those of several digits
    are parted half-way between their middles.

    middles: of the digits, left to right; strokes: at least one; height: of the digits, pixels.
    """
    before, after = [-np.inf, *middles[:-1]], [*middles[1:], np.inf]
    boxes = []
    for previous, middle, following in zip(before, middles, after, strict=True):
        reach = min(_BESIDE * height, (middle - previous) / 2, (following - middle) / 2)
        own = [s for s in strokes if s.x <= middle <= s.right or abs(s.centre[0] - middle) <= reach]
        if own:
            left = min((previous + middle) / 2 if s.x <= previous else s.x for s in own)
            right = max((middle + following) / 2 if s.right >= following else s.right for s in own)
        else:
            left, right = middle - _LEAST * height / 2, middle + _LEAST * height / 2
        tall = own or strokes
        top, bottom = min(s.y for s in tall), max(s.bottom for s in tall)
        boxes.append((round(left), top, max(1, round(right - left)), bottom - top))
    return boxes
