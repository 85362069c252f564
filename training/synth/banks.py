"""Digits ready to be set side by side: people's, by hand or by set; the stroke model's; fonts'.

A bank draws writers; a writer hands out inks, uint8 [h, w], 0 paper to 255 ink, cropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge.arrays import U8, u8
from training.hands import Hands
from training.mnist import Mnist
from training.synth.glyphs import MARKS
from training.synth.strokes import HandStyle, cropped, draw_hand

HEIGHT = 40
"""Pixels of a digit's height, about, in every bank."""


@dataclass(frozen=True)
class Glyph:
    """ink: uint8 [h, w], cropped; foot: pixels that it reaches below the line it stands on."""

    ink: U8
    foot: float = 0.0


@dataclass(frozen=True)
class Style:
    """One writer's or font's glyphs: digits[label] are the ways it draws 0 to 9; printed: set, not written."""

    digits: tuple[tuple[Glyph, ...], ...]
    printed: bool = False


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
        hand = draw_hand(rng, HandStyle(height=HEIGHT, slant=leaning, uncommon=0.4))
        styles.append(Style(tuple(tuple(Glyph(hand.digit(label, rng)) for _ in range(2)) for label in range(10))))
    return styles


def of_fonts(folders: Sequence[Path]) -> list[Style]:
    """A style per font file (TrueType or OpenType) that draws ten different digits."""
    styles = []
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in {".ttf", ".otf"}):
        try:
            font = ImageFont.truetype(str(path), 2 * HEIGHT)
            glyphs = [_printed(font, str(label)) for label in range(10)]
        except (OSError, ValueError):
            continue  # a font of no digits, or not for this library
        inks = {glyph.ink.tobytes() for glyph in glyphs}
        tall = float(np.median([glyph.ink.shape[0] for glyph in glyphs]))
        if len(inks) == 10 and tall >= 8:
            styles.append(Style(tuple((_sized(glyph, HEIGHT / tall),) for glyph in glyphs), printed=True))
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


def _printed(font: ImageFont.FreeTypeFont, text: str) -> Glyph:
    side = 4 * HEIGHT
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).text((HEIGHT, 3 * HEIGHT), text, fill=255, font=font, anchor="ls")
    ink = np.asarray(picture)
    _, y, _, h = cv2.boundingRect(ink)
    if not h:
        raise ValueError(f"no {text} in this font")
    return Glyph(cropped(ink), y + h - 3 * HEIGHT)


def _sized(glyph: Glyph, scale: float) -> Glyph:
    return Glyph(_enlarged(glyph.ink, scale), glyph.foot * scale)
