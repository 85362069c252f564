"""Digits ready to be set side by side: people's, by hand or by set; the stroke model's; fonts'; photographed
ones; displays'.

A bank draws writers; a writer hands out inks, uint8 [h, w], 0 paper to 255 ink, cropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge.arrays import U8, u8
from training.cells import Cells
from training.hands import Hands
from training.mnist import Mnist
from training.synth.displays import Display, DisplaySource, DisplayStyle
from training.synth.glyphs import MARKS, OTHER_LETTERS, PRINTED_LETTERS
from training.synth.strokes import HandStyle, cropped, draw_hand

HEIGHT = 40
"""Pixels of a digit's height, about, in every bank."""

DISPLAYS = DisplayStyle(height=3 * HEIGHT, breadth=(0.07, 0.18), gap=(0.01, 0.06), slant=(-0.02, 0.17))
"""Displays as cameras show them. A strip's digits are 20 pixels high, so that a gap of less than a twentieth is none of
its pixels'. With these gaps two fifths of the eights still fall into parts there, of 135 photographed ones a quarter.
"""

_GROUPS, _EACH = 8, 10  # styles that one set of cells makes at most; digits of a label in each, about
_LENT, _LENT_SIZE = 12, 0.15  # digits lent to a style that has none of a label; how far off HEIGHT they may be
# Segments that other displays light: sixes without a top, sevens with a hook, nines without a foot.
_OTHERS = {6: "cdefg", 7: "abcf", 9: "abcfg"}


@dataclass(frozen=True)
class Glyph:
    """ink: uint8 [h, w], cropped; foot: pixels that it reaches below the line it stands on."""

    ink: U8
    foot: float = 0.0


@dataclass(frozen=True)
class Style:
    """One writer's or font's glyphs: digits[label] are the ways it draws 0 to 9; printed: set, not written; letters:
    some that nobody takes for a digit, where it has any.
    """

    digits: tuple[tuple[Glyph, ...], ...]
    printed: bool = False
    letters: tuple[Glyph, ...] = ()


def of_mnist(data: Mnist, least: int = 12) -> list[Style]:
    """A style per writer with at least that many digits; what one never wrote, the next one lends."""
    writers = np.arange(len(data)) // 100 if data.writers is None else data.writers
    styles: list[Style] = []
    lent: list[tuple[Glyph, ...]] = [()] * 10
    for writer in np.unique(writers):
        own = np.flatnonzero(writers == writer)
        digits = [
            tuple(Glyph(_enlarged(data.images[i], HEIGHT / 20)) for i in own[data.labels[own] == label])
            for label in range(10)
        ]
        lent = [have or old for have, old in zip(digits, lent, strict=True)]
        if len(own) >= least and all(lent):
            styles.append(Style(tuple(have or old for have, old in zip(digits, lent, strict=True))))
    return styles


def of_hands(hands: Sequence[Hands]) -> list[Style]:
    """A style per set, since its writers are not known."""
    return [
        Style(
            tuple(
                tuple(Glyph(_enlarged(one.inks[i], HEIGHT / 48)) for i in np.flatnonzero(one.labels == label))
                for label in range(10)
            )
        )
        for one in hands
    ]


def of_strokes(count: int, rng: np.random.Generator) -> list[Style]:
    """`count` writers of the stroke model, each with two of every digit."""
    styles = []
    for _ in range(count):
        leaning = (-0.15, 0.4) if rng.random() < 0.75 else (0.4, 0.9)
        hand = draw_hand(rng, HandStyle(height=HEIGHT, slant=leaning, habit=(0.006, 0.035), uncommon=0.5))
        styles.append(Style(tuple(tuple(Glyph(hand.digit(label, rng)) for _ in range(2)) for label in range(10))))
    return styles


def of_fonts(
    folders: Sequence[Path], printed: bool = True, height: int = HEIGHT, letters: str | None = None
) -> list[Style]:
    """A style per font file (TrueType or OpenType) that draws ten different digits. printed: set, else people's hands
    made fonts, whose digits are set side by side as people write them; height: pixels of a digit, about; letters: which
    it gives, by default those that no digit is taken for.
    """
    if letters is None:
        letters = "".join(PRINTED_LETTERS if printed else OTHER_LETTERS)
    styles = []
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in {".ttf", ".otf"}):
        try:
            font = ImageFont.truetype(str(path), 2 * height)
            glyphs = [_printed(font, str(label), height) for label in range(10)]
        except (OSError, ValueError):
            continue  # a font of no digits, or not for this library
        inks = {glyph.ink.tobytes() for glyph in glyphs}
        tall = float(np.median([glyph.ink.shape[0] for glyph in glyphs]))
        if len(inks) == 10 and tall >= 8:
            digits = tuple((_sized(glyph, height / tall),) for glyph in glyphs)
            styles.append(Style(digits, printed, _letters(font, letters, height, height / tall, inks)))
    return styles


def of_cells(cells: Sequence[Cells], printed: Sequence[Style], written: Sequence[Style]) -> list[Style]:
    """Up to `_GROUPS` styles of each set's printed and of its written digits; what a set lacks, as sudokus a nought, is
    lent by the styles `printed` or `written`, as it is itself, else by other sets. Without a lender it makes none.
    """
    groups = [
        (digits, kind)
        for one in cells
        for kind in (True, False)
        for digits in _grouped(one, np.flatnonzero(one.printed == kind))
    ]
    whole = [Style(digits, kind) for digits, kind in groups if all(digits)]
    styles = []
    for i, (digits, kind) in enumerate(groups):
        # Sets lend last: what they have that others lack, a wheel's or a display's noughts, are like nobody's else.
        alike, sets = printed if kind else written, [style for style in whole if style.printed == kind]
        digits = tuple(have or _lent(label, alike, i) or _lent(label, sets, i) for label, have in enumerate(digits))
        if all(digits):
            styles.append(Style(digits, kind))
    return styles


def of_rejects(cells: Sequence[Cells], count: int, rng: np.random.Generator) -> list[U8]:
    """At most `count` inks of what is no digit in them."""
    inks = [ink for one in cells for ink in one.rejects]
    return [_enlarged(inks[i], HEIGHT / inks[i].shape[0]) for i in rng.permutation(len(inks))[:count]]


def of_displays(count: int, rng: np.random.Generator) -> list[Style]:
    """`count` displays of seven segments. On half of them, as on most that are real, every digit takes the same room,
    a one's at its right.
    """
    styles = []
    for _ in range(count):
        display = DisplaySource(DISPLAYS).writer(rng)
        others = {label: segments for label, segments in _OTHERS.items() if rng.random() < 0.3}
        pitch = rng.random() < 0.5
        eight = display.lit("abcdefg").shape
        glyphs = [_lit(display, label, others.get(label), eight, pitch) for label in range(10)]
        styles.append(Style(tuple((glyph,) for glyph in glyphs), printed=True))
    return styles


def of_marks(count: int, rng: np.random.Generator) -> dict[str, list[U8]]:
    """`count` inks of each of the stroke model's marks."""
    return {
        kind: [draw_hand(rng, HandStyle(height=HEIGHT)).mark(kind, rng) for _ in range(count)]
        for kind in (*MARKS, "scribble")
    }


def _enlarged(ink: U8, scale: float) -> U8:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cropped(u8(cv2.resize(ink, None, fx=scale, fy=scale, interpolation=how)))


def _grouped(one: Cells, own: np.ndarray) -> list[tuple[tuple[Glyph, ...], ...]]:
    """The digits `own` of a set by label, in groups of like breadth of stroke: the digits of a row are alike in it."""
    by_label = [own[one.labels[own] == label] for label in range(10)]
    few = min((len(have) for have in by_label if len(have)), default=0)
    if not few:
        return []
    count = int(np.clip(len(own) // (10 * _EACH), 1, min(few, _GROUPS)))
    parts = [
        np.array_split(sorted(have, key=lambda i: float(one.inks[i].mean())), count) if len(have) else [()] * count
        for have in by_label
    ]
    return [
        tuple(
            tuple(Glyph(_enlarged(one.inks[i], HEIGHT / one.inks[i].shape[0])) for i in parts[label][group])
            for label in range(10)
        )
        for group in range(count)
    ]


def _lent(label: int, lenders: Sequence[Style], first: int) -> tuple[Glyph, ...]:
    """Digits of about `HEIGHT`, other ones for another `first`, evenly from all lenders."""
    glyphs = [
        glyph
        for style in lenders
        for glyph in style.digits[label]
        if abs(glyph.ink.shape[0] - HEIGHT) <= _LENT_SIZE * HEIGHT
    ]
    step = max(1, len(glyphs) // _LENT)
    return tuple(glyphs[first % step :: step][:_LENT])


def _lit(display: Display, label: int, segments: str | None, eight: tuple[int, ...], pitch: bool) -> Glyph:
    """A display's digit, with other segments than usual where these are given.

    eight: how high and wide the display's eight is, pixels; pitch: whether every digit is as wide.
    """
    scale = HEIGHT / eight[0]
    ink = display.digit(label, np.random.default_rng(0)) if segments is None else display.lit(segments)
    glyph = Glyph(_enlarged(ink, scale))
    room = round(eight[1] * scale) - glyph.ink.shape[1] if pitch else 0
    # Without a segment at its foot a digit ends half a segment higher.
    low = label not in (1, 4, 7) and segments != _OTHERS[9]
    foot = 0.0 if low else -display.breadth / 2 * HEIGHT
    return Glyph(np.pad(glyph.ink, ((0, 0), (max(0, room), 0))), foot)


def _printed(font: ImageFont.FreeTypeFont, text: str, height: int) -> Glyph:
    side = 4 * height
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).text((height, 3 * height), text, fill=255, font=font, anchor="ls")
    ink = np.asarray(picture)
    _, y, _, h = cv2.boundingRect(ink)
    if not h:
        raise ValueError(f"no {text} in this font")
    return Glyph(cropped(ink), y + h - 3 * height)


def _letters(
    font: ImageFont.FreeTypeFont, letters: str, height: int, scale: float, others: set[bytes]
) -> tuple[Glyph, ...]:
    """Those of the `letters` that a font draws, each in its own way: one that lacks them draws the same box for all."""
    drawn: dict[bytes, Glyph] = {}
    for letter in letters:
        try:
            glyph = _printed(font, letter, height)
        except ValueError:
            continue
        if glyph.ink.tobytes() in others | drawn.keys():
            return ()
        drawn[glyph.ink.tobytes()] = glyph
    return tuple(_sized(glyph, scale) for glyph in drawn.values())


def _sized(glyph: Glyph, scale: float) -> Glyph:
    return Glyph(_enlarged(glyph.ink, scale), glyph.foot * scale)
