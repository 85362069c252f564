"""What may be one digit: runs of neighbouring strokes of a row.

A row's pieces, left to right, are the edges between nodes 0 to n of a lattice; a candidate spans from one node to a
later one. A piece is a whole stroke, or a part of one that may hold several digits and was cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.imaging.components import Component

_MOST_PIECES = 7  # a wide nought that was cut wherever it could be has as many
# Of the row's digit height:
_WIDEST = 1.4
_TALLEST = 1.5
_NEAREST = 0.12

LOWEST = 0.5
"""Of the row's digit height: what is lower is a dot, a comma, a dash or dirt, whatever shape it has."""


@dataclass(frozen=True)
class Candidate:
    """start, end: nodes of the lattice, start < end; pieces: what it is made of; box: x, y, w, h in pixels;
    cut_ends: how many of its two ends are cuts through a stroke, 0 to 2; whole: whether it is one whole stroke.
    """

    start: int
    end: int
    pieces: tuple[Component, ...]
    box: tuple[int, int, int, int]
    cut_ends: int
    whole: bool

    def is_low(self, height: float) -> bool:
        """Whether it is too low for a digit of a row of digits `height` pixels high."""
        return self.box[3] < LOWEST * height


def find_candidates(strokes: Sequence[Sequence[Component]], height: float) -> list[Candidate]:
    """Each stroke whole, and every piece and run of up to seven that could be one digit.

    strokes: a row's, ordered by horizontal centre, each as its pieces; height: of the row's digits, pixels.
    """
    pieces = [piece for stroke in strokes for piece in stroke]
    inside = {0: False}  # by node: whether it lies inside a stroke
    for stroke in strokes:
        node = len(inside) - 1
        inside |= {node + i: i < len(stroke) for i in range(1, len(stroke) + 1)}
    found = []
    for start in range(len(pieces)):
        first = pieces[start]
        left, top, right, bottom = first.x, first.y, first.right, first.bottom
        one_stroke, near = True, True  # so far: no stroke ended before the last piece; no gap between pieces
        for end in range(start + 1, len(pieces) + 1):
            piece = pieces[end - 1]
            if end - start > 1:
                one_stroke = one_stroke and inside[end - 1]
                near = near and piece.x <= right + _NEAREST * height
                left, top = min(left, piece.x), min(top, piece.y)
                right, bottom = max(right, piece.right), max(bottom, piece.bottom)
            whole = one_stroke and not inside[start] and not inside[end]
            if end - start > 1 and not whole:
                if end - start > _MOST_PIECES and not (one_stroke and inside[end]):
                    break
                wide = right - left > _WIDEST * height or bottom - top > _TALLEST * height
                if end - start > _MOST_PIECES or wide or not near:
                    continue
            if bottom - top < LOWEST * height and not whole:
                continue
            box = (left, top, right - left, bottom - top)
            found.append(Candidate(start, end, tuple(pieces[start:end]), box, inside[start] + inside[end], whole))
    return found
