"""What becomes of a letter among the digits of a row, which no reader of digits can read: it should come out as `?`.

    python -m benchmarks.letters [--count 200] [--row-model MODEL.onnx]

Rows of six digits and one letter that nobody takes for a digit, on plain paper: by hands of the stroke model, by fonts
of people's hands and by fonts for print that the row model's recipes hold out (`make fonts` comes first).
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy import longest, rows_recipe
from edge.arrays import U8
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.reader import Reader
from edge.row import UNREADABLE, Row
from training.row_dataset import fonts_of
from training.synth.banks import HEIGHT, Glyph, Style
from training.synth.glyphs import OTHER_LETTERS
from training.synth.strokes import HandStyle, draw_hand

_DIGITS = 6
_SURE = 0.9
_SEED = 4
_PAPER, _INK = 235.0, 0.8  # grey level; what full ink takes of 255
_HANDS = 60  # of the stroke model

OUTCOMES = {
    "told": "told as ?",
    "part": "digits beside it alone",
    "over": "passed over",
    "else": "a digit made up",
    "none": "nothing read",
}
"""What there may be of a row, by `outcome`."""


@dataclass(frozen=True)
class Spoilt:
    """image: uint8 [H, W]; before, after: the digits on either side of the letter."""

    image: U8
    before: str
    after: str


def spoilt_rows(styles: Sequence[Style], count: int, rng: np.random.Generator) -> Iterator[Spoilt]:
    """`count` rows. styles: with letters, all of them."""
    for i in range(count):
        style, at = styles[i % len(styles)], int(rng.integers(1, _DIGITS))
        text = "".join(map(str, rng.integers(0, 10, _DIGITS)))
        glyphs = [style.digits[int(label)][int(rng.integers(len(style.digits[int(label)])))] for label in text]
        glyphs.insert(at, style.letters[int(rng.integers(len(style.letters)))])
        yield Spoilt(_page(glyphs, rng), text[:at], text[at:])


def outcome(row: Row | None, spoilt: Spoilt) -> str:
    """A key of OUTCOMES."""
    text = row.text if row else ""
    if UNREADABLE in text:
        return "told"
    if text in (spoilt.before, spoilt.after):
        return "part"
    if text == spoilt.before + spoilt.after:
        return "over"
    return "else" if text else "none"


def _page(glyphs: Sequence[Glyph], rng: np.random.Generator) -> U8:
    """Side by side on one line, apart."""
    gaps = rng.integers(round(0.1 * HEIGHT), round(0.3 * HEIGHT), len(glyphs))
    # Some fonts' letters are several times as tall as their digits.
    line = max(round(2.5 * HEIGHT), *(g.ink.shape[0] - round(g.foot) for g in glyphs))
    below = max(round(1.5 * HEIGHT), *(round(g.foot) for g in glyphs))
    page = np.full((line + below, 3 * HEIGHT + sum(g.ink.shape[1] for g in glyphs) + int(gaps.sum())), _PAPER)
    left = round(1.5 * HEIGHT)
    for glyph, gap in zip(glyphs, gaps, strict=True):
        h, w = glyph.ink.shape
        top = line + round(glyph.foot) - h
        page[top : top + h, left : left + w] -= _INK * glyph.ink
        left += w + int(gap)
    return np.clip(page + rng.normal(0, 2, page.shape), 0, 255).astype(np.uint8)


def drawn_hands(count: int, rng: np.random.Generator) -> list[Style]:
    """`count` writers of the stroke model."""
    hands = [draw_hand(rng, HandStyle(height=HEIGHT)) for _ in range(count)]
    return [
        Style(
            tuple((Glyph(hand.digit(label, rng)),) for label in range(10)),
            letters=tuple(Glyph(hand.mark(letter, rng)) for letter in OTHER_LETTERS),
        )
        for hand in hands
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="rows of each kind of writer")
    parser.add_argument("--row-model", type=Path)
    arguments = parser.parse_args()
    try:
        _measure(arguments.count, arguments.row_model)
    except ConfigError as error:
        sys.exit(str(error))


def _measure(count: int, row_model: Path | None) -> None:
    cv2.setNumThreads(1)
    reader = Reader(None, EngineConfig(threads=1), row_model)
    recipe = rows_recipe()
    rng = np.random.default_rng(_SEED)
    writers = {
        "drawn hands": drawn_hands(_HANDS, rng),
        "fonts of hands": fonts_of(recipe, recipe.handwriting, held_out=True, printed=False),
        "print": fonts_of(recipe, recipe.fonts, held_out=True),
    }
    table = Table(
        "writers", *OUTCOMES.values(), f"surer than {_SURE}, no ?", title="Rows with a letter in them, of 100"
    )
    for name, styles in writers.items():
        styles = [style for style in styles if style.letters]
        found: Counter[str] = Counter()
        sure = 0
        for spoilt in track(list(spoilt_rows(styles, count, rng)), name, console=Console(stderr=True), transient=True):
            row = longest(reader.read(spoilt.image))
            came = outcome(row, spoilt)
            found[came] += 1
            sure += row is not None and came in {"over", "else"} and row.confidence > _SURE
        table.add_row(name, *(f"{100 * n / count:.1f}" for n in [*(found[key] for key in OUTCOMES), sure]))
    Console().print(table)


if __name__ == "__main__":
    main()
