"""What a reader returns: rows of digits. Frozen, plain, and free of arrays, so it can be logged, compared, sent."""

from dataclasses import dataclass

UNREADABLE = "?"
"""Stands in a text for a digit that is there but could not be read. Nothing is guessed silently."""

Point = tuple[float, float]
"""x, y."""

Box = tuple[int, int, int, int]
"""x, y, width, height: upright, on whole pixels."""


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit of a row.

    text: its label, or `?` where something digit-sized could not be read as one.
    confidence: probability in [0, 1] that `text` is right; 0 for `?`.
    box: upright bounding box (x, y, width, height) in pixels of the picture it was read from.
    """

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class Separator:
    """A mark between the digits of a row, or before or after them.

    text: `.`, `,`, `:`, `'` or `-`; after: how many of the row's digits stand before it;
    box: as a digit's.
    """

    text: str
    after: int
    box: Box


@dataclass(frozen=True, slots=True)
class Row:
    """One row of digits, left to right as written.

    text: the digits' texts joined.
    confidence: probability in [0, 1] that the whole of `text` is right.
    quad: the row's corners in pixels of the picture, clockwise from the top left as the row is read.
    separators: the dots, commas, colons, apostrophes and dashes beside its digits, left to right, told by their size
    and place alone.
    alternatives: the likeliest texts with the natural logarithms of their probabilities, likeliest first, the row's own
    among them unless a digit of it is unreadable; empty where they were not asked for.
    """

    text: str
    confidence: float
    digits: tuple[Digit, ...]
    quad: tuple[Point, Point, Point, Point]
    separators: tuple[Separator, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def written(self) -> str:
        """The text with its separators where they stand: `1.234,50`."""
        parts = [digit.text for digit in self.digits]
        for separator in reversed(self.separators):
            parts.insert(separator.after, separator.text)
        return "".join(parts)
