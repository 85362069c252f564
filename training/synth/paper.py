"""Paper and ink: what a sheet looks like before a camera sees it. Everything uint8, blue-green-red."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import U8
from training.synth.noise import normal
from training.synth.span import Span, draw, draw_int

Colour = tuple[float, float, float]

# Blue, green, red of the middle of each range; a draw wanders by _SHADE about it.
PENS: dict[str, Colour] = {
    "black ballpoint": (45, 40, 40),
    "blue ballpoint": (150, 65, 40),
    "pencil": (98, 95, 95),
    "black felt": (28, 26, 26),
    "blue felt": (170, 60, 30),
    "red felt": (45, 40, 185),
    "iron gall": (48, 62, 88),
}
_SHADE = 14
_GRAIN = {"pencil": 0.5, "iron gall": 0.35, "black ballpoint": 0.22, "blue ballpoint": 0.22}


@dataclass(frozen=True)
class PaperStyle:
    """The ranges that sheets are drawn from; levels are 0 to 255."""

    tone: Span = (205, 252)
    """brightness of the paper"""
    tint: float = 5.0
    """standard deviation of each colour channel about the tone"""
    fibre: Span = (0.5, 3.5)
    """standard deviation of the texture"""
    stains: Span = (0, 2)
    """number of faint stains"""
    pens: tuple[str, ...] = (
        "black ballpoint",
        "black ballpoint",
        "blue ballpoint",
        "pencil",
        "black felt",
        "blue felt",
    )
    """keys of `PENS`; one named twice is twice as likely"""
    opacity: Span = (0.72, 1.0)
    """how far ink covers paper"""
    board: float = 0.1
    """share of sheets that are boards or dark paper with light chalk"""
    lines: tuple[str, ...] = ("none",)
    """printed lines to draw from: `none`, `ruled`, `squared`"""
    line_spacing: Span = (0.45, 1.6)
    """distance of printed lines, in digit heights"""


@dataclass(frozen=True)
class Sheet:
    """paper: uint8 [h, w, 3]; colour: of the ink; opacity: 0 to 1; grain: 0 to 1, how uneven the ink lies."""

    paper: U8
    colour: Colour
    opacity: float
    grain: float


def make_sheet(
    width: int, height: int, digit: float, rng: np.random.Generator, style: PaperStyle = PaperStyle()
) -> Sheet:
    """An empty sheet of `width` x `height` pixels and a pen for it; `digit`: the digits' height in pixels."""
    if rng.uniform() < style.board:
        tone = rng.uniform(25, 75) + np.clip(rng.normal(0, 8, 3), -20, 20)
        chalk = rng.uniform(205, 250) + rng.normal(0, 5, 3)
        colour, grain, opacity = _colour(chalk), float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.8, 1))
    else:
        tone = draw(style.tone, rng) + rng.normal(0, style.tint, 3)
        pen = style.pens[int(rng.integers(len(style.pens)))]
        colour = _colour(np.array(PENS[pen]) + rng.normal(0, _SHADE, 3) * 0.4 + rng.normal(0, _SHADE))
        grain, opacity = _GRAIN.get(pen, 0.1), draw(style.opacity, rng)
    paper = textured(_colour(tone), width, height, draw(style.fibre, rng), rng)
    paper = stained(paper, draw_int(style.stains, rng), rng)
    lines = style.lines[int(rng.integers(len(style.lines)))]
    if lines != "none":
        spacing = max(draw(style.line_spacing, rng) * digit, 8)
        paper = ruled(paper, spacing, lines == "squared", rng)
    return Sheet(paper, colour, opacity, grain)


def textured(tone: Colour, width: int, height: int, fibre: float, rng: np.random.Generator) -> U8:
    """uint8 [height, width, 3] of one tone with fine and coarse unevenness, of deviation `fibre`."""
    size = (width, height)
    relief = cv2.resize(normal((height // 24 + 2, width // 24 + 2), rng), size, interpolation=cv2.INTER_LINEAR)
    # Fibres lie about lengthwise: noise made at a third of the width is stretched.
    fine = cv2.resize(normal((height, width // 3 + 1), rng), size, interpolation=cv2.INTER_LINEAR)
    relief = cv2.addWeighted(relief, fibre, fine, 0.8 * fibre, 0)
    image: U8 = cv2.merge([cv2.convertScaleAbs(relief, beta=level) for level in tone])
    return image


def stained(paper: U8, count: int, rng: np.random.Generator) -> U8:
    """`paper` with `count` faint, soft-edged stains, each darker by at most a tenth."""
    if not count:
        return paper
    h, w = paper.shape[:2]
    light = np.ones((h // 4 + 1, w // 4 + 1), np.float32)
    for _ in range(count):
        spot = np.zeros_like(light)
        radius = float(rng.uniform(0.1, 0.6)) * min(spot.shape)
        centre = (int(rng.uniform(0, spot.shape[1])), int(rng.uniform(0, spot.shape[0])))
        axes = (int(radius) + 1, int(radius * rng.uniform(0.4, 1)) + 1)
        depth = float(rng.uniform(0.02, 0.1))
        cv2.ellipse(spot, centre, axes, float(rng.uniform(0, 180)), 0, 360, depth, -1)
        light -= cv2.GaussianBlur(spot, (0, 0), max(radius * 0.2, 1))
    field = cv2.resize(light, (w, h), interpolation=cv2.INTER_LINEAR)
    image: U8 = cv2.merge([cv2.multiply(plane, field, dtype=cv2.CV_8U) for plane in cv2.split(paper)])
    return image


def ruled(paper: U8, spacing: float, squared: bool, rng: np.random.Generator) -> U8:
    """`paper` with printed lines every `spacing` pixels, across and, if `squared`, down as well."""
    h, w = paper.shape[:2]
    out = paper.copy()
    colour = _colour(np.array((215, 185, 165)) * rng.uniform(0.75, 1) * float(paper.mean()) / 230)
    thick = max(round(spacing / 40), 1)
    for y in np.arange(rng.uniform(0, spacing), h, spacing):
        cv2.line(out, (0, round(y)), (w, round(y)), colour, thick)
    for x in np.arange(rng.uniform(0, spacing), w, spacing) if squared else ():
        cv2.line(out, (round(x), 0), (round(x), h), colour, thick)
    return out


def inked(sheet: Sheet, ink: U8, x: int, y: int, rng: np.random.Generator) -> U8:
    """The sheet's paper with uint8 `ink` [h, w] written on it, its top left corner at (x, y)."""
    h, w = ink.shape
    cover = ink.astype(np.float32) * (sheet.opacity / 255)
    if sheet.grain:
        # Pencil and chalk catch on the paper's grain: coarser than a pixel, and never quite nothing.
        fine = cv2.GaussianBlur(normal((h, w), rng), (3, 3), 0.8)
        cover *= np.clip(1 - sheet.grain * (0.25 + 0.9 * fine), 0.4, 1)
    out = sheet.paper.copy()
    part = out[y : y + h, x : x + w]
    flat = np.empty_like(part)
    flat[:] = _pixel(sheet.colour)
    part[:] = cv2.blendLinear(part, flat, 1 - cover, cover)
    return out


def _pixel(colour: Colour) -> U8:
    return np.array([round(level) for level in colour], np.uint8)


def _colour(levels: np.ndarray) -> Colour:
    blue, green, red = (float(level) for level in np.clip(levels, 0, 255))
    return blue, green, red
