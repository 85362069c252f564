"""A row's ink as a photograph of a strip shows it: on paper with patterns and rules, in uneven light, with noise."""

import cv2
import numpy as np

from edge.arrays import F32, U8, u8
from training.synth.noise import normal


def photographed(ink: U8, tall: float, rng: np.random.Generator) -> U8:
    """uint8 [h, w] grey: dark `ink`, uint8 [h, w], on paper that may be printed on, through a lens, with noise. tall:
    pixels of a digit.
    """
    h, w = ink.shape
    paper = np.full((h, w), rng.uniform(120, 250), np.float32)
    if rng.random() < 0.6:
        paper *= light(h, w, rng)
    contrast = rng.uniform(0.35, 1.0) if rng.random() < 0.85 else rng.uniform(0.18, 0.35)
    way = rng.random()
    if way < 0.22:
        _pattern(paper, contrast, rng)
    elif way < 0.3:
        _speckle(paper, contrast, rng)
    _rules(paper, tall, contrast, rng)
    cover = ink.astype(np.float32) * (contrast / 255)
    if rng.random() < 0.4:
        grain = cv2.GaussianBlur(normal((h, w), rng), (3, 3), 0.8)
        cover *= np.clip(1 - rng.uniform(0.1, 0.6) * (0.3 + 0.8 * grain), 0.2, 1)
    seen = paper * (1 - cover)
    return through_a_lens(seen, tall, contrast, rng)


def through_a_lens(seen: F32, tall: float, contrast: float, rng: np.random.Generator) -> U8:
    """uint8 [h, w] grey: a scene, float32 [h, w] grey, out of focus, moved, with noise, as a file. tall: pixels of a
    digit; contrast: of its ink, as a share of its paper.
    """
    h, w = seen.shape
    sigma = rng.uniform(0, 0.05) * tall
    if sigma > 0.3:
        seen = cv2.GaussianBlur(seen, (0, 0), min(sigma, 2.2))
    if rng.random() < 0.15:
        length = max(2, round(rng.uniform(0.04, 0.14) * tall))
        seen = cv2.blur(seen, (length, 1) if rng.random() < 0.7 else (1, length))
    noise = min(rng.uniform(0, 7) if rng.random() < 0.8 else rng.uniform(7, 14), 30 * contrast)
    seen = seen + normal((h, w), rng) * noise
    grey = np.clip(seen, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        grey = u8(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return grey


def light(h: int, w: int, rng: np.random.Generator) -> F32:
    """Uneven light, 0.5 to 1: smooth, and one time in four a shadow's edge."""
    coarse = 1 - rng.uniform(0, 0.35) * rng.random((2, 3)).astype(np.float32)
    field = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.25:
        edge = np.float32(rng.uniform(0, w)) + np.arange(h, dtype=np.float32)[:, None] * rng.normal(0, 1)
        ramp = 0.5 + 0.5 * np.tanh((np.arange(w, dtype=np.float32) - edge) / rng.uniform(1.5, 16))
        field = field * (1 - rng.uniform(0.1, 0.45) * ramp)
    return np.asarray(field, np.float32)


def _pattern(paper: F32, contrast: float, rng: np.random.Generator) -> None:
    """A security pattern: fine waves, one or two sets of them."""
    h, w = paper.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    for _ in range(int(rng.integers(1, 3))):
        turn = rng.uniform(0, np.pi)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        wave = rng.uniform(0, 3) * np.sin(along / rng.uniform(4, 20) + rng.uniform(0, 6))
        lines = np.cos((across + wave) * (2 * np.pi / rng.uniform(3, 12)))
        depth = contrast * rng.uniform(0.03, 0.22)
        paper *= 1 - depth * np.clip(lines * rng.uniform(0.5, 2) + rng.uniform(-0.5, 0.5), 0, 1)


def _speckle(paper: F32, contrast: float, rng: np.random.Generator) -> None:
    """Blotches and dust."""
    h, w = paper.shape
    for x, y in rng.uniform(0, (w, h), (int(rng.integers(3, 40)), 2)):
        dark = float(1 - contrast * rng.uniform(0.05, 0.8))
        radius = int(rng.integers(0, 3))
        here = paper[max(0, int(y) - radius) : int(y) + radius + 1, max(0, int(x) - radius) : int(x) + radius + 1]
        here *= dark


def _rules(paper: F32, tall: float, contrast: float, rng: np.random.Generator) -> None:
    """Printed lines across and down, form boxes, a line struck through."""
    h, w = paper.shape
    dark = float(1 - contrast * rng.uniform(0.15, 0.9))
    thick = max(1, round(tall * rng.uniform(0.02, 0.08)))
    across: list[float] = []
    down: list[float] = []
    way = rng.random()
    if way < 0.18:
        across = [rng.uniform(0, h)]
    elif way < 0.28:
        across = list(np.arange(rng.uniform(0, tall), h, tall * rng.uniform(0.4, 1.8)))
    elif way < 0.34:
        step = tall * rng.uniform(0.35, 1.2)
        across, down = list(np.arange(rng.uniform(0, step), h, step)), list(np.arange(rng.uniform(0, step), w, step))
    elif way < 0.42:
        across = [rng.uniform(0, 0.25) * h, rng.uniform(0.75, 1) * h]
        down = [rng.uniform(0, 0.08) * w, rng.uniform(0.92, 1) * w]
    tilt = rng.normal(0, 0.02)
    lines = np.ones_like(paper)
    for y in across:
        cv2.line(lines, (0, round(y - tilt * w / 2)), (w, round(y + tilt * w / 2)), dark, thick, cv2.LINE_AA)
    for x in down:
        cv2.line(lines, (round(x + tilt * h / 2), 0), (round(x - tilt * h / 2), h), dark, thick, cv2.LINE_AA)
    if across or down:
        paper *= lines
