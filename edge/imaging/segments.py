"""Displays of seven segments: strokes that stand apart and are one digit, bridged before rows are looked for."""

from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np

from edge.imaging.components import Component, pen_width
from edge.imaging.rows import RowOfStrokes

# Straight bars that make a display, at least, and upright and lying ones of them. On 120 displays of
# `benchmarks.accuracy` with another seed 99 were read rightly without bridges; 105, 108 and 108 where they are 0.7, 0.9
# and 1.2 of the pen. Of 750 handwritten validation pictures one was read wrongly for it.
_BARS, _OF_EACH = 6, 2
_BRIDGED = 0.9
_EVEN = 0.35  # of the pen, by which those of bars may differ
_SHORTEST, _LONGEST = 1.7, 12  # pens that a bar is long
_STRAIGHT = 1.2  # times its box that a bar may be long: what is bent is longer
_SPECK = 20  # square pixels of a component's box, below which it is no bar

# Halves of a broken row, of the taller one's height: how much lower the other may be, how far aside a stroke's lower
# half may stand, how wide the break may be; and the share of strokes that have a half there.
_ENOUGH = 3  # strokes in a row
_LIKE = 0.6
_ASIDE = 0.35
_SPLIT = 0.25
_MATCHED = 0.6


def segments_apart(components: Sequence[Component]) -> int:
    """Pixels to be bridged, in all directions, where most strokes are straight bars of one breadth, some upright, some
    lying; 0 where they are not.
    """
    bars = [(c, pen) for c in components if c.w * c.h >= _SPECK and _is_bar(c, pen := pen_width(c))]
    if len(bars) < _BARS:
        return 0
    pen = median(own for _, own in bars)
    alike = [c for c, own in bars if abs(own - pen) <= _EVEN * pen]
    upright = sum(c.h > c.w for c in alike)
    if len(alike) < _BARS or min(upright, len(alike) - upright) < _OF_EACH:
        return 0
    size = median(max(c.w, c.h) for c in alike)
    as_large = sum(size / 2 <= max(c.w, c.h) <= 5 * size for c in components)
    return round(_BRIDGED * pen) if 2 * len(alike) >= as_large else 0


def _is_bar(component: Component, pen: float) -> bool:
    inside = sum(map(cv2.contourArea, component.contours)) - sum(map(cv2.contourArea, component.holes))
    side = max(component.w, component.h)
    return _SHORTEST * pen <= side <= _LONGEST * pen and inside <= _STRAIGHT * pen * side


def broken_across(rows: Sequence[RowOfStrokes]) -> int:
    """Pixels from foot to head that must be bridged where two rows are the halves of one, as in a display of seven
    segments: one close above the other, stroke above stroke; 0 where no two are.
    """
    rows = [row for row in rows if len(row.body) >= _ENOUGH]
    heights = np.array([row.height for row in rows])
    middles = np.array([median([c.centre[1] for c in row.body]) for row in rows])
    tall = np.maximum(heights, heights[:, None])
    below = middles - middles[:, None]  # [upper, lower]
    alike = np.minimum(heights, heights[:, None]) >= _LIKE * tall
    most = 0
    for one, other in np.argwhere(alike & (below > 0) & (below < 1.5 * tall)):
        upper, lower, height = rows[one].body, rows[other].body, tall[one, other]
        gaps = []
        for stroke in upper:
            beneath = min(lower, key=lambda c: abs(c.centre[0] - stroke.centre[0]))
            if abs(beneath.centre[0] - stroke.centre[0]) <= _ASIDE * height:
                gaps.append(beneath.y - stroke.bottom)
        narrow = [gap for gap in gaps if 0 <= gap <= _SPLIT * height]
        if len(narrow) >= _MATCHED * min(len(upper), len(lower)):
            most = max(most, max(narrow) + 2)
    return most
