"""Ink from paper: how dark each pixel is against the paper round it, whichever of the two is the lighter."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.arrays import F64, U8, u8
from edge.imaging.scaling import halved, halvings, shrunk

_COARSE = 480  # pixels of the longest side that the background is estimated at
# What is broader than this many pixels of that size, or this share of the shorter side, is background, not a stroke.
_BROADEST, _BROADEST_SHARE = 31, 1 / 4
# Pixels of that size: what is broader is no stroke. But in pictures that are not so many times as large, or whose
# shorter side has room for but few such, a row may fill the picture.
_THING, _LARGER, _ROOM = 17, 1.5, 14
_WINDOW = 1 / 20  # of the longer side: the window that ink and paper are told apart in
# Pixels of the longer side that it is told at: of those windows five pixels, where most pictures leave no doubt, then
# nine. Of 900 validation pictures 291 were in doubt at first, 205 then; at 480 pixels 202, and none was told otherwise.
_GLANCES, _FLATTEST = (100, 180), 8
_UNDECIDED = 0.6  # nearer to 0 than this, ink may be either; on 160 generated pictures all wrong ones were below 0.2
_LEAST_STEP = 8  # grey levels, likewise
_LARGE = 400_000  # pixels of a picture whose every eighth line tells as much as all
# Share of a picture's pixels that differ from paper more than noise does, wherever there is any ink.
_SOME = 0.002
_LEAST_CONTRAST = 14  # of 255; the noise of good paper stays below
# On 54 generated photographs of held-out writers whose digits one threshold for the whole missed: windows of 0.08 and
# 0.12 of the longer side, 0.7 to 1.3 deviations and 14 to 28 as the least strength read 35 to 39 of them.
_LOCAL_WINDOW = 0.08
_DEVIATIONS = 1.3
_LEAST_STRENGTH = 28.0
_BRIGHTEST = 99  # per cent of a picture that are no brighter than its brightest paper; the rest may glare
# Of the brightest paper: on darker one there is nothing but a table's grain, much as that stands out. Seven validation
# sheets on which nothing was found had 222 lines; 0.3, 0.4 and 0.5 leave 38, 29 and 18, but shadows go as low.
_LIT = 0.4


@dataclass(frozen=True)
class Ink:
    """strength: uint8 [H, W], 0 paper to 255 as dark as can be; 0 outside the mask's neighbourhood is not promised.
    mask: uint8 [H, W], 255 where there is ink, else 0; is_light: whether it is lighter than its paper.
    """

    strength: U8
    mask: U8
    is_light: bool = False

    def strokes(self) -> U8:
        """The ink alone: uint8 [H, W], its strength, 0 where there is none."""
        return u8(cv2.bitwise_and(self.strength, self.mask))


def find_inks(grey: U8) -> Iterator[Ink]:
    """What may be the ink of a picture, the likelier first: mostly one; where it cannot be told which it is both
    polarities, each found when it is asked for.

    grey: uint8 [H, W], both sides at least 3. Light ink on dark paper comes out like dark ink on light paper.

    The picture is divided by its local background, so that uneven light and shadows cancel; one threshold then
    parts ink from paper (Otsu 1979, over what stands out of the paper's noise).
    """
    grey, coarse = _smooth(grey)
    lightness = _lightness_of_ink(coarse)
    ways = (lightness > 0,) if abs(lightness) >= _UNDECIDED else (lightness > 0, lightness <= 0)
    for light in ways:
        yield replace(dark_ink(*_as_if_dark(light, grey, coarse)), is_light=light)


def find_local_inks(grey: U8, lights: Iterable[bool] = (False, True)) -> list[Ink]:
    """The ink of both polarities, each part of the picture by a threshold of its own: for pictures whose strongest ink
    is not what is looked for, as where a bright sheet lies on a dark table.

    grey: as `find_inks` takes it; lights: which ink is looked for, dark or light.
    """
    planes = _smooth(grey)
    return [replace(_locally_dark_ink(*_as_if_dark(light, *planes)), is_light=light) for light in lights]


def _as_if_dark(light: bool, *planes: U8) -> list[U8]:
    """The planes of a picture in which light ink is dark."""
    return [u8(cv2.bitwise_not(plane)) for plane in planes] if light else list(planes)


def _smooth(grey: U8) -> tuple[U8, U8]:
    """The picture without the grain of single pixels, and the same, small."""
    grey = u8(cv2.GaussianBlur(grey, (3, 3), 0))
    coarse = halved(grey, halvings(_COARSE / max(grey.shape)))
    shrink = max(1.0, max(coarse.shape) / _COARSE)
    size = (max(3, round(coarse.shape[1] / shrink)), max(3, round(coarse.shape[0] / shrink)))
    return grey, u8(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR))


def _lightness_of_ink(coarse: U8) -> float:
    """-1 where all that stands out of its surroundings is darker than they, to 1 where all is lighter."""
    lightness = 0.0
    for side in _GLANCES:
        scale = max(side / max(coarse.shape), _FLATTEST / min(coarse.shape))
        lightness = _standing_out(shrunk(coarse, scale) if scale < 1 else coarse)
        if abs(lightness) >= _UNDECIDED or scale >= 1:
            break
    return lightness


def _standing_out(small: U8) -> float:
    """As `_lightness_of_ink`. Strokes cover less than half of any window, so the window's median is paper, on either
    side of an edge of light or of the sheet. The third power lets what stands out far count for more than grain.
    """
    window = max(5, round(_WINDOW * max(small.shape))) | 1
    window = min(window, min(small.shape) * 2 // 3 | 1, 255)
    off = small.astype(np.float32) - cv2.medianBlur(small, window)
    cubes = off * off * off
    total = float(np.abs(cubes).sum())
    return float(cubes.sum()) / total if total else 0.0


def dark_ink(grey: U8, coarse: U8) -> Ink:
    """The ink of a picture whose ink is darker than its paper; `coarse` is the same picture, small."""
    paper = _paper_of(grey, coarse)
    strength = _strength(grey, paper)
    counts = _histogram(strength)
    level = _threshold(counts)
    _, mask = cv2.threshold(strength, level, 255, cv2.THRESH_BINARY)
    things = _things(u8(mask), coarse)
    if things is not None:
        counts = np.maximum(counts - _histogram(strength, things), 0)
        level = _threshold(counts)
        _, mask = cv2.threshold(strength, level, 255, cv2.THRESH_BINARY)
        mask = cv2.bitwise_and(mask, cv2.bitwise_not(things))
    return Ink(strength, _in_the_light(u8(mask), grey, paper, level))


def _things(mask: U8, coarse: U8) -> U8 | None:
    """What is broader than any pen, uint8 [H, W], 255 there and about it: dark things and gaps beside a sheet. Being
    much darker than ink they would have ink taken for paper. None where there is no such thing.
    """
    if mask.shape[0] < _LARGER * coarse.shape[0] or min(coarse.shape) < _ROOM * _THING:
        return None
    small = cv2.resize(mask, (coarse.shape[1], coarse.shape[0]), interpolation=cv2.INTER_NEAREST)
    core = cv2.erode(small, np.ones((_THING, _THING), np.uint8))
    if not cv2.countNonZero(core):
        return None
    around = cv2.dilate(core, np.ones((_THING + 4, _THING + 4), np.uint8))
    return u8(cv2.resize(around, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_NEAREST))


def _locally_dark_ink(grey: U8, coarse: U8) -> Ink:
    """As `dark_ink`, but the threshold is the mean of the ink's strength round a pixel and a multiple of its standard
    deviation (Niblack 1986), and at least `_LEAST_STRENGTH`; and only what stands on lit paper.
    """
    paper = _paper_of(grey, coarse)
    strength = _strength(grey, paper)
    step = 2 if strength.size > _LARGE else 1  # of windows so large every other pixel tells as much
    few = np.ascontiguousarray(strength[::step, ::step])
    size = max(15 // step, round(_LOCAL_WINDOW * max(few.shape))) | 1
    mean = cv2.boxFilter(few, cv2.CV_32F, (size, size))
    square = cv2.sqrBoxFilter(few, cv2.CV_32F, (size, size))
    spread = cv2.sqrt(cv2.max(square - cv2.multiply(mean, mean), 0))
    # A half less, so that rounding leaves whole numbers that no strength is between.
    level = cv2.max(cv2.scaleAdd(spread, _DEVIATIONS, mean), _LEAST_STRENGTH)
    level = cv2.convertScaleAbs(cv2.subtract(level, 0.5))
    if step > 1:
        level = cv2.resize(level, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    lit = _LIT * float(np.percentile(paper[_few(paper)], _BRIGHTEST))
    mask = cv2.bitwise_and(cv2.compare(strength, level, cv2.CMP_GT), cv2.compare(paper, lit, cv2.CMP_GE))
    return Ink(strength, _in_the_light(u8(mask), grey, paper, _LEAST_STRENGTH))


def _paper_of(grey: U8, coarse: U8) -> U8:
    """What the picture would be without its ink, of the size of `grey`."""
    kernel = max(9, round(min(_BROADEST, _BROADEST_SHARE * min(coarse.shape)))) | 1
    return u8(cv2.resize(_paper(coarse, kernel), (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR))


def _strength(grey: U8, paper: U8) -> U8:
    """What is missing of the paper's light at each pixel, as a share of 255; none where a pixel is lighter."""
    share = cv2.divide(grey, paper, scale=255)
    return u8(cv2.bitwise_not(share, dst=share))


def _in_the_light(mask: U8, grey: U8, paper: U8, level: float) -> U8:
    """The mask without what noise alone may have made: in the dark a step of one grey level is a large share of the
    paper. level: strength from which on a pixel is in the mask.
    """
    few = _few(grey)
    # Grey levels that paper may differ from itself by.
    noise = float(_noise(_histogram(u8(cv2.subtract(paper[few], grey[few]))), _LEAST_STEP))
    if cv2.minMaxLoc(paper)[0] * level >= 255 * (noise + 1):  # of so light a paper, `level` is more
        return mask
    return u8(cv2.bitwise_and(mask, cv2.compare(cv2.subtract(paper, grey), noise, cv2.CMP_GT)))


def _few(plane: U8) -> slice:
    """The lines that tell how values are distributed."""
    return slice(None, None, 8 if plane.size > _LARGE else 1)


def _histogram(plane: U8, among: U8 | None = None) -> F64:
    """float64 [256]: how many pixels have each value, by every eighth line of a large picture; `among`: of those alone
    where it is not 0.
    """
    few = _few(plane)
    among = None if among is None else among[few]
    return np.asarray(cv2.calcHist([plane[few]], [0], among, [256], [0, 256]).ravel(), np.float64)


def _paper(coarse: U8, kernel: int) -> U8:
    """The paper without its ink: a morphological closing takes away dark strokes narrower than the kernel.

    Where a sheet ends or a hard shadow begins the closing steps as the picture does. Enlarged, that step would be
    smeared over its darker side and pass for ink there; the erosion keeps it on the lighter side.
    """
    # Of each four pixels the brightest: no ink comes in by the halving, and a closing costs an eighth.
    coarse = u8(cv2.dilate(coarse, np.ones((2, 2), np.uint8), anchor=(0, 0))[::2, ::2])
    kernel = kernel // 2 | 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel, kernel))
    closed = cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, element, borderType=cv2.BORDER_REPLICATE)
    return u8(cv2.max(cv2.erode(closed, np.ones((3, 3), np.uint8)), 1))


def _threshold(counts: F64) -> float:
    """Otsu's threshold over the strengths above the noise of the paper; counts: of each strength, float64 [256]."""
    floor = _noise(counts, _LEAST_CONTRAST)
    if floor >= 250 or counts[floor:].sum() == 0:
        return 255.0
    levels = np.arange(floor, 256)
    part = counts[floor:]
    below = np.cumsum(part)
    above = below[-1] - below
    sums = np.cumsum(part * levels)
    mean_below, mean_above = sums / np.maximum(below, 1), (sums[-1] - sums) / np.maximum(above, 1)
    split = int(np.argmax(below * above * (mean_above - mean_below) ** 2))
    if not above[split]:
        return float(floor)
    # Where there is only ink above the noise, Otsu parts a stroke's rim from its core: stay at the rim's middle.
    return float(min(levels[split], (mean_above[split] + floor) / 2))


def _noise(counts: F64, least: int) -> int:
    """What paper differs from itself by, at least `least`; counts: of pixels of each difference, float64 [256].

    Ink covers less than a third of any page of digits: the rest is paper, and its spread is the noise. But close by,
    squared paper may be half rules: where hardly a pixel differs by more, a smaller share is taken for paper.
    """
    share = np.cumsum(counts) / counts.sum()

    def spread(low: float, high: float) -> int:
        near, far = np.searchsorted(share, [low, high])
        return max(least, int(near + 3 * (far - near)))

    noise = spread(0.35, 0.6)
    return noise if noise < len(share) and share[noise] < 1 - _SOME else spread(0.15, 0.35)
