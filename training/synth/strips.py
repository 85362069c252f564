"""Strips for the sequence model: rows of digits as they stand on cheques, forms and meters, cut out as the box does it.

A strip is made at the size it is seen at, from inks of a bank, with what real paper has beside digits: dots, commas,
dashes, currency signs, rules, boxes, security patterns, the next line's strokes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.imaging.lines import BODY
from training.synth.banks import HEIGHT, Glyph, Style
from training.synth.counters import Counters
from training.synth.field import Field
from training.synth.glyphs import LETTERS, OTHER_LETTERS
from training.synth.manner import Manner, Noughts, odd_one, resized
from training.synth.strip_photo import photographed

SEPARATORS = ("dot", "comma", "dash", "colon", "slash")
BEFORE = ("dollar", "hash", "euro", "pound", "equals", "dash", "asterisk", "cross", "left bracket")
AFTER = (
    "dash",
    "dash",
    "tilde",
    "equals",
    "strokes",
    "dot",
    "comma",
    "right bracket",
    "cross",
    "scribble",
    "percent",
    "asterisk",
    "plus",
)

_INK = 48  # of 255: where one ink meets another

# How often each digit is drawn: of what was read wrongly on 700 validation fields (`python -m benchmarks.choice`), a
# quarter were ones, passed over like a mark's stroke or taken for sevens, a fifth sevens.
_OFTEN = np.array([9.0, 15, 9, 9, 10, 9, 9, 12, 9, 9]) / 100


@dataclass(frozen=True)
class Bank:
    """Styles by kind, each kind with the share of rows it writes; marks by their names; counters, with the share of all
    strips that show one.
    """

    kinds: tuple[tuple[float, list[Style]], ...]
    marks: dict[str, list[U8]]
    counters: tuple[float, Counters] | None = None

    def style(self, rng: np.random.Generator) -> Style:
        shares = np.cumsum([share if styles else 0.0 for share, styles in self.kinds])
        _, styles = self.kinds[int(np.searchsorted(shares, rng.uniform(0, shares[-1]), side="right"))]
        return styles[int(rng.integers(len(styles)))]


@dataclass(frozen=True)
class Line:
    """ink: uint8 [h, w]; of its digits: left, right, middle and height in pixels."""

    ink: U8
    left: float
    right: float
    middle: float
    height: float


def make_field(bank: Bank, rng: np.random.Generator) -> Field:
    """A row on its paper, cut out closely; text is "" for one that holds no digits."""
    if bank.counters and rng.random() < bank.counters[0]:
        return bank.counters[1].field(rng)
    text = _text(rng)
    line = written(text, bank, rng)
    ink = _bent(line.ink, rng)
    tall = float(np.exp(rng.uniform(np.log(14), np.log(54))))  # pixels of a digit on the sensor
    scale = tall / line.height
    size = (max(4, round(ink.shape[1] * scale)), max(4, round(ink.shape[0] * scale)))
    ink = u8(cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
    left, right = (_room(0.25, rng) * tall for _ in range(2))
    above, below = (_room(0.15, rng) * tall for _ in range(2))
    h, w = ink.shape
    canvas = np.zeros((max(8, round(h + above + below)), max(8, round(w + left + right))), np.uint8)
    x, y = round(left), round(above)
    _lay(canvas, ink, x, y)
    middle = y + line.middle * scale
    if rng.random() < 0.2:
        _neighbours(canvas, middle, tall, bank, rng)
    if rng.random() < 0.08:
        _edge(canvas, x, x + w, tall, rng)
    grey = photographed(canvas, tall, rng)
    return Field(grey, text, x + line.left * scale, x + line.right * scale, middle, tall)


def make_strip(bank: Bank, rng: np.random.Generator) -> tuple[U8, str]:
    """uint8 [32, W] as `edge.imaging.strip` gives it, and its digits; "" for one that holds none."""
    field = make_field(bank, rng)
    return field.strip(rng), field.text


def _room(tight: float, rng: np.random.Generator) -> float:
    """Paper on one side of a row, in heights of its digits; a share `tight` of pictures end where the digits do, or cut
    a little of them off.
    """
    return rng.uniform(-0.05, 0.3) if rng.random() < tight else rng.uniform(0.3, 1.6)


def _lay(canvas: U8, ink: U8, x: int, y: int) -> None:
    """Put ink onto the canvas, its left upper corner at x, y; what would stand outside is cut off."""
    h, w = ink.shape
    x0, y0, x1, y1 = max(0, x), max(0, y), min(canvas.shape[1], x + w), min(canvas.shape[0], y + h)
    if x1 > x0 and y1 > y0:
        here = canvas[y0:y1, x0:x1]
        np.maximum(here, ink[y0 - y : y1 - y, x0 - x : x1 - x], out=here)


def _text(rng: np.random.Generator) -> str:
    if rng.random() < 0.04:
        return ""
    count = int(np.clip(round(rng.gamma(5.0, 1.15)), 1, 14))
    digits = rng.choice(10, count, p=_OFTEN)
    if rng.random() < 0.25:  # amounts and counts end in noughts
        digits[-int(rng.integers(1, 4)) :] = 0
    if rng.random() < 0.1:
        digits[int(rng.integers(count)) :][:3] = digits[0]
    if rng.random() < 0.1:  # years, numbers of three places and of six
        digits[0] = 1
    return "".join(map(str, digits))


def written(text: str, bank: Bank, rng: np.random.Generator) -> Line:
    """The digits of `text` side by side, with what stands between and beside them."""
    style = bank.style(rng)
    mixed = not style.printed and rng.random() < 0.15
    manner = Manner(0.0 if style.printed or rng.random() < 0.3 else rng.uniform(0.2, 1.2), rng)
    noughts = Noughts.drawn(rng) if not style.printed and rng.random() < 0.2 else None
    kinds: list[tuple[str, Glyph]] = []

    def mark(names: Sequence[str]) -> None:
        name = names[int(rng.integers(len(names)))]
        inks = bank.marks[name]
        ink = inks[int(rng.integers(len(inks)))]
        foot = 0.14 * HEIGHT if name == "comma" else 0.0
        if name in {"dot", "comma"}:
            ink = _as_large(ink, rng)
        if name in {"dash", "equals", "tilde"}:
            foot = -0.35 * HEIGHT
        kinds.append(("mark", Glyph(ink, foot + rng.normal(0, 0.05) * HEIGHT)))

    grouped = rng.random() < 0.45
    group = int(rng.integers(2, 5))
    if not text:
        for _ in range(int(rng.integers(1, 8))):
            mark(LETTERS)
    elif rng.random() < 0.06:
        for _ in range(int(rng.integers(1, 4))):
            mark(OTHER_LETTERS)
    if rng.random() < 0.22:
        mark(BEFORE)
    for i, label in enumerate(text):
        if grouped and i and (len(text) - i) % group == 0:
            if rng.random() < 0.8:
                mark(SEPARATORS[:2] if rng.random() < 0.85 else SEPARATORS)
            else:
                kinds.append(("space", Glyph(np.zeros((2, round(HEIGHT * rng.uniform(0.1, 0.8))), np.uint8))))
        pen = bank.style(rng) if mixed and rng.random() < 0.5 else style
        choices = pen.digits[int(label)]
        glyph = choices[int(rng.integers(len(choices)))]
        if not pen.printed:
            glyph = Glyph(manner.bent(int(label), glyph.ink), glyph.foot)
        if noughts and i and label == "0":
            glyph = noughts.small(glyph, rng)
        elif label == "1" and not pen.printed and rng.random() < 0.3:
            glyph = odd_one(glyph, rng)
        elif not i and not pen.printed and len(text) > 1 and rng.random() < 0.1:
            glyph = resized(glyph, *(rng.uniform(1.15, 1.7) * rng.uniform(0.85, 1.1, 2)))
        kinds.append(("digit", glyph))
    while rng.random() < 0.25:
        mark(AFTER)
    if rng.random() < 0.05:
        for _ in range(int(rng.integers(1, 3))):
            mark(OTHER_LETTERS)
    if not kinds:
        mark(AFTER)
    return _set(kinds, style.printed, rng)


def _as_large(ink: U8, rng: np.random.Generator) -> U8:
    """A dot or comma; of some writers up to twice as large, as low digits are."""
    return ink if rng.random() < 0.6 else resized(Glyph(ink), rng.uniform(0.8, 2), rng.uniform(0.8, 2.4)).ink


def _set(kinds: list[tuple[str, Glyph]], printed: bool, rng: np.random.Generator) -> Line:
    """Side by side on a line that wavers, touching where the writer's gap is negative."""
    way = rng.random()
    if printed:
        gap, jitter = rng.uniform(0.06, 0.7) if way < 0.85 else rng.uniform(-0.02, 0.06), 0.0
    elif way < 0.35:
        gap, jitter = rng.uniform(-0.18, 0.02), 0.07
    else:
        gap, jitter = rng.uniform(0.0, 0.3) if way < 0.85 else rng.uniform(0.3, 1.0), 0.06
    waver = 0.0 if printed else rng.uniform(0.0, 0.07)
    slope = rng.normal(0, 0.015) if not printed else 0.0
    room = 2 * HEIGHT
    reach = np.full(2 * room, -(1 << 20), np.int64)  # the rightmost ink so far on each line of pixels
    placed: list[tuple[str, U8, int, int]] = []
    end = 0
    uneven = 0.0 if printed else 0.07 if rng.random() < 0.7 else 0.2
    for kind, glyph in kinds:
        own = float(np.clip(rng.normal(1, uneven), 1 - 2.5 * uneven, 1 + 3 * uneven))
        ink = glyph.ink if printed else u8(cv2.resize(glyph.ink, None, fx=own, fy=own))
        h, w = ink.shape
        foot = room + HEIGHT // 2 + glyph.foot + rng.normal(0, waver) * HEIGHT + slope * end
        top = int(np.clip(round(foot) - h, 0, 2 * room - h)) if h < 2 * room else 0
        ink = ink[: 2 * room]
        h = ink.shape[0]
        dark = ink > _INK
        lines = slice(top, top + h)
        some = dark.any(1)
        if not placed or kind == "space" or not some.any():
            left = end
        elif printed:
            left = end + round(gap * HEIGHT)
        else:
            touch = int(np.max(np.where(some, reach[lines] - dark.argmax(1), -(1 << 20)))) + 1
            near = max(touch, end - round(0.3 * HEIGHT))
            left = near + round((gap + rng.normal(0, jitter)) * HEIGHT)
        left = max(left, (placed[-1][2] + 3) if placed else 0)
        placed.append((kind, ink, left, top))
        last = np.where(some, left + w - 1 - dark[:, ::-1].argmax(1), -(1 << 20))
        reach[lines] = np.maximum(reach[lines], last)
        end = max(end, left + w)
    canvas = np.zeros((2 * room, end), np.uint8)
    for _, ink, left, top in placed:
        here = canvas[top : top + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(here, ink, out=here)
    digits = [(left, top, ink.shape[1], ink.shape[0]) for kind, ink, left, top in placed if kind == "digit"]
    if not digits:
        digits = [(left, top, ink.shape[1], HEIGHT) for _, ink, left, top in placed]
    boxes = np.array(digits)
    if not printed and len(digits) > 1 and rng.random() < 0.15:
        _joined(canvas, boxes, rng)
    elif printed and len(digits) == len(placed) and rng.random() < 0.15:
        _windows(canvas, boxes, rng)
    _, y, _, h = cv2.boundingRect(canvas)
    y, h = (y, h) if h else (0, 2 * room)
    body = boxes[boxes[:, 3] >= BODY * boxes[:, 3].max()]
    middle = float(np.median(body[:, 1] + body[:, 3] / 2)) - y
    everything = [(left, left + ink.shape[1]) for kind, ink, left, _ in placed if kind != "space"]
    lefts, rights = zip(*everything, strict=True) if everything else ((0,), (end,))
    if rng.random() < 0.3:  # the box may leave marks at the ends out
        lefts, rights = tuple(boxes[:, 0]), tuple(boxes[:, 0] + boxes[:, 2])
    height = float(np.median(body[:, 3]))
    return Line(u8(canvas[y : y + h]), float(min(lefts)), float(max(rights)), middle, max(height, 8.0))


def _joined(canvas: U8, boxes: np.ndarray, rng: np.random.Generator) -> None:
    """Strokes from one digit to the next, as people write noughts in one go."""
    breadth = max(1, round(HEIGHT * rng.uniform(0.05, 0.12)))
    high = rng.random() < 0.6
    for one, other in pairwise(boxes):
        if rng.random() < 0.4:
            continue
        level = rng.uniform(0.0, 0.25) if high else rng.uniform(0.5, 1.0)
        start = (int(one[0] + one[2] * rng.uniform(0.4, 0.9)), int(one[1] + one[3] * level))
        stop = (
            int(other[0] + other[2] * rng.uniform(0.1, 0.5)),
            int(other[1] + other[3] * (level + rng.normal(0, 0.08))),
        )
        cv2.line(canvas, start, stop, 255, breadth, cv2.LINE_AA)


def _windows(canvas: U8, boxes: np.ndarray, rng: np.random.Generator) -> None:
    """What parts the windows of a meter: a plate as dark as the digits between them, sometimes above and below too."""
    dark = int(rng.integers(90, 256))
    room = rng.uniform(0.0, 0.35)
    top = round(boxes[:, 1].min() - HEIGHT * rng.uniform(0.1, 0.4))
    bottom = round((boxes[:, 1] + boxes[:, 3]).max() + HEIGHT * rng.uniform(0.1, 0.4))
    closed = rng.random() < 0.5
    beyond = round(HEIGHT * rng.uniform(0.0, 0.4))
    for one, other in pairwise(boxes):
        start, stop = one[0] + one[2], other[0]
        margin = round(room * (stop - start))
        if stop - start - 2 * margin >= 2:
            canvas[max(0, top - beyond) : bottom + beyond, start + margin : stop - margin] = dark
    if closed:
        canvas[max(0, top - beyond) : top] = dark
        canvas[bottom : bottom + beyond] = dark


def _edge(canvas: U8, left: int, right: int, tall: float, rng: np.random.Generator) -> None:
    """The end of the paper, a thumb or a thing, beside a row from `left` to `right`: dark to the canvas' end."""
    h, w = canvas.shape
    away = rng.uniform(0.08, 0.7) * tall
    lean = rng.normal(0, 0.15) * h
    if rng.random() < 0.5:
        x, end = left - away, -2
    else:
        x, end = right + away, w + 2
    if 2 < x < w - 2:
        corners = np.array([[x - lean, 0], [end, 0], [end, h], [x + lean, h]])
        here = np.zeros_like(canvas)
        cv2.fillPoly(here, [np.round(corners).astype(np.int32)], int(rng.integers(60, 256)), cv2.LINE_AA)
        grain = cv2.resize(rng.uniform(0.4, 1, (6, 6)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
        np.maximum(canvas, (here * np.clip(grain, 0, 1)).astype(np.uint8), out=canvas)


def _bent(ink: U8, rng: np.random.Generator) -> U8:
    """The row slanted, widened, turned a little, bent; with a finer or broader pen."""
    h, w = ink.shape
    slant, angle = rng.normal(0, 0.14), np.deg2rad(rng.normal(0, 1.2))
    wide = float(np.exp(rng.normal(0, 0.12)))
    pad = round(0.45 * h)
    size = (round(w * wide) + 2 * pad, h + 8)
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32) - pad, np.arange(size[1], dtype=np.float32) - 4)
    bends = rng.normal(0, rng.uniform(0, 1.1), (size[1] // 10 + 2, size[0] // 10 + 2, 2)).astype(np.float32)
    move = cv2.resize(bends, size, interpolation=cv2.INTER_LINEAR)
    from_x = (x + slant * (y - h / 2)) / wide + move[..., 0]
    from_y = y + (x - w / 2) * np.float32(np.tan(angle)) + move[..., 1]
    if rng.random() < 0.3:
        # As on a sheet that is not held straight: one end smaller, the line it stands on bowed.
        along = np.clip((x - w / 2) / max(w / 2, 1), -1, 1)
        from_y += (rng.normal(0, 0.07) * along) * (y - h / 2) + rng.normal(0, 0.06) * HEIGHT * (along**2 - 1 / 3)
    out = cv2.remap(ink, from_x.astype(np.float32), from_y.astype(np.float32), cv2.INTER_LINEAR)
    way = rng.random()
    if way < 0.6:
        soft = cv2.GaussianBlur(out, (5, 5), rng.uniform(0.7, 1.5))
        level = min(
            rng.uniform(50, 190), 0.6 * float(np.percentile(soft[soft > 40], 70)) if (soft > 40).any() else 255.0
        )
        steep = rng.uniform(2, 8)
        out = cv2.LUT(soft, np.clip(127 + (np.arange(256) - level) * steep, 0, 255).astype(np.uint8))
        if not out.any():
            out = soft
    x0, _, span, _ = cv2.boundingRect(out)
    # Columns stay where the line's left and right say, up to the widening: the strip's ends waver anyway.
    cut = u8(out[:, pad : pad + round(w * wide)]) if not span else u8(out[:, max(0, min(x0, pad)) :])
    cut = cut[:, : max(round(w * wide), x0 + span - max(0, min(x0, pad)))]
    return u8(cv2.resize(cut, (w, out.shape[0]), interpolation=cv2.INTER_AREA)) if abs(cut.shape[1] - w) > 3 else cut


def _neighbours(canvas: U8, middle: float, tall: float, bank: Bank, rng: np.random.Generator) -> None:
    """The feet of the line above or the heads of the one below, cut off by the strip's edge."""
    style = bank.style(rng)
    w = canvas.shape[1]
    for _ in range(int(rng.integers(1, 5))):
        choices = style.digits[int(rng.integers(10))]
        ink = choices[int(rng.integers(len(choices)))].ink
        scale = tall / HEIGHT
        ink = u8(cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        x = int(rng.integers(-ink.shape[1] // 2, w))
        y = round(middle + (-1 if rng.random() < 0.5 else 1) * tall * rng.uniform(1.15, 1.6) - ink.shape[0] / 2)
        _lay(canvas, ink, x, y)
