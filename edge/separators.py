"""What stands between the digits of a row: dots, commas, colons, apostrophes, dashes, told by their size and place.

The models pass such marks over; here the strokes that are none of the digits' say which they are.
"""

from collections.abc import Sequence
from statistics import median

from edge.imaging.components import Component, union
from edge.row import Digit, Separator

# Of the digits' height:
_SMALL = 0.5  # a stroke that is taller is a digit, a part of one, or none of these marks
_SPECK = 0.07  # what is less in both directions is dirt
_DOT = 0.35
_LONG = 0.18  # a dash is at least so long
_HANGING = 0.1  # how far a comma reaches below the line
_NEAR = 1.0  # how far a mark may stand from the nearest digit, from edge to edge

_FLAT = 1.5  # width over height of a dash
_APART = 0.5  # share of a mark's width that a digit's own strokes may cover
# Where a mark's middle is, from the digits' head 0 to their foot 1:
_LOW = 0.65
_HIGH = 0.3


def find_separators(digits: Sequence[Digit], strokes: Sequence[Component]) -> tuple[Separator, ...]:
    """The separators of a row, left to right.

    digits: at least one, boxes in the row's pixels; strokes: all of the row's, level.
    """
    height = float(median([digit.box[3] for digit in digits]))
    tall = [stroke for stroke in strokes if stroke.h >= _SMALL * height]
    if not tall:
        return ()
    middles = [digit.box[0] + digit.box[2] / 2 for digit in digits]
    found: list[tuple[Separator, float]] = []  # with how low its middle is
    for stroke in sorted(strokes, key=lambda s: s.centre[0]):
        if stroke.h >= _SMALL * height or max(stroke.w, stroke.h) < _SPECK * height or _covered(stroke, tall):
            continue
        near = sorted(tall, key=lambda s: _gap(s, stroke))[:2]
        if _gap(near[0], stroke) > _NEAR * height:
            continue
        head, foot = (sum(edge) / len(near) for edge in ([s.y for s in near], [s.bottom for s in near]))
        low = (stroke.centre[1] - head) / max(foot - head, 1)
        text = _kind(stroke, low, (stroke.bottom - foot) / height, height)
        after = sum(middle < stroke.centre[0] for middle in middles)
        box = (stroke.x, stroke.y, stroke.w, stroke.h)
        if found and text in (".", "·") and found[-1][0].text in (".", "·"):
            last, its = found[-1]
            if last.after == after and abs(_middle(last) - stroke.centre[0]) < _DOT * height and min(low, its) < _LOW:
                found[-1] = Separator(":", after, _round_both(last, box)), _LOW
                continue
        if text:
            found.append((Separator(text, after, box), low))
    return tuple(separator for separator, _ in found if separator.text != "·")


def _kind(stroke: Component, low: float, hanging: float, height: float) -> str:
    """hanging: how far it reaches below the digits, in their heights. Returns "·" for a dot half-way up, "" for what is
    no separator.
    """
    if stroke.w >= max(_FLAT * stroke.h, _LONG * height) and _HIGH <= low <= 0.75:
        return "-"
    if stroke.w > _DOT * height:
        return ""
    if low >= _LOW:
        return "," if hanging > _HANGING and stroke.h >= stroke.w else "." if stroke.h <= _DOT * height else ""
    if stroke.h > _DOT * height:
        return ""
    return "'" if low <= _HIGH else "·"


def _covered(stroke: Component, tall: Sequence[Component]) -> bool:
    """Whether a digit's own strokes stand above or below it: then it is the bar of a five or the like."""
    return any(min(stroke.right, s.right) - max(stroke.x, s.x) > _APART * stroke.w for s in tall)


def _gap(one: Component, other: Component) -> float:
    return max(one.x - other.right, other.x - one.right, 0) + abs(one.centre[0] - other.centre[0]) * 1e-3


def _middle(separator: Separator) -> float:
    return separator.box[0] + separator.box[2] / 2


def _round_both(separator: Separator, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return union([Component((), *separator.box), Component((), *box)])
