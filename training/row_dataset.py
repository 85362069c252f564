"""Strips to learn whole rows from: a stock on disk, made once, and batches of it, shown differently each time."""

import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from edge.arrays import U8, u8
from edge.errors import ConfigError
from edge.imaging.strip import HEIGHT
from edge.model_card import Data
from edge.sequence import BLANK, STEP
from training import cells, hands, mnist
from training.recipe import RowRecipe
from training.synth import banks
from training.synth.counters import Counters
from training.synth.meter import held_out_meters, learnt_meters
from training.synth.strips import Bank, make_strip

LABELS = (BLANK, *"0123456789")

_SHARD = 10_000  # strips of one file
_WORTH_PROCESSES = 5_000  # strips; for fewer, starting a process costs more than it saves
_MARKS = 60  # inks of each mark, and of what is no digit in photographed cells
_DISPLAYS = 400  # drawn displays
# Streams of random numbers that do not meet.
_INKS, _STRIPS, _FONTS, _CAMERAS = 7, 11, 3, 13

Strip = tuple[U8, str]


@dataclass(frozen=True)
class Batch:
    """strips: uint8 [N, 32, W]; labels: int64, one text's after another's, by LABELS; lengths: int64 [N]."""

    strips: Tensor
    labels: Tensor
    lengths: Tensor


def bank(recipe: RowRecipe, data_dir: Path | None, held_out: bool) -> tuple[Bank, tuple[Data, ...]]:
    """Whose digits a run learns from, or is chosen by; and where they come from, for the model card."""
    digits = mnist.split_by_writer(mnist.load("train", data_dir), recipe.validation, recipe.split)[held_out]
    foreign = hands.split(hands.load(data_dir) if recipe.writers.hands else [], recipe.validation, recipe.split)[
        held_out
    ]
    cameras = recipe.writers.cells or recipe.writers.counters
    seen = cells.split(cells.load(data_dir) if cameras else [], recipe.validation, recipe.split)[held_out]
    rng = np.random.default_rng([_INKS, held_out, 0, recipe.seed])
    fonts = fonts_of(recipe, recipe.fonts, held_out) if recipe.writers.fonts else []
    letterers = fonts_of(recipe, recipe.handwriting, held_out, printed=False) if recipe.writers.handwriting else []
    count = round(recipe.hands * (recipe.validation if held_out else 1))
    by_writer, by_set = banks.of_mnist(digits), banks.of_hands(foreign)
    strokes, marks = banks.of_strokes(count, rng), banks.of_marks(_MARKS, rng)
    # A stream of their own, so that recipes without cameras' digits give the strips they gave before.
    rng = np.random.default_rng([_CAMERAS, held_out, 0, recipe.seed])
    # No other mark is, like these, neither a letter nor a sign.
    marks["scribble"] += banks.of_rejects(seen, _MARKS, rng)
    counters = _counters(recipe, data_dir, held_out, fonts) if recipe.writers.counters else None
    displays = round(_DISPLAYS * (recipe.validation if held_out else 1)) if recipe.writers.displays else 0
    made = Bank(
        (
            (recipe.writers.mnist, by_writer),
            (recipe.writers.hands, by_set),
            (recipe.writers.strokes, strokes),
            (recipe.writers.fonts, fonts),
            (recipe.writers.cells, banks.of_cells(seen, fonts, [*by_writer, *by_set])),
            (recipe.writers.displays, banks.of_displays(displays, rng)),
            (recipe.writers.handwriting, letterers),
        ),
        marks,
        (recipe.writers.counters, counters) if counters else None,
    )
    name = "MNIST, training digits of the writers not held out"
    data = (
        Data(name, len(digits), "CC BY-SA 3.0", hashlib.sha256(digits.images.tobytes()).hexdigest()),
        *(Data(one.name, len(one.labels), one.licence, one.sha256) for one in foreign),
        *(Data(one.name, len(one.labels), one.licence, one.sha256) for one in seen),
        Data("the project's stroke model: digits, marks, letters", count * 20, "Apache-2.0", ""),
        *([Data("drawn displays of seven segments", displays * 10, "Apache-2.0", "")] if displays else []),
        Data("digits of free fonts", len(fonts) * 10, "their own, all free", ""),
        *(
            [Data("digits of free fonts of people's hands", len(letterers) * 10, "their own, all free", "")]
            if letterers
            else []
        ),
        Data("rows made from the above", recipe.strips, "CC BY-SA 3.0", ""),
    )
    return made, data


def _counters(recipe: RowRecipe, data_dir: Path | None, held_out: bool, fonts: Sequence[banks.Style]) -> Counters:
    """Of wheels to learn from, or of those held out to choose by."""
    if held_out:
        return Counters(held_out_meters(data_dir, recipe.validation, recipe.split)[0], fonts)
    return Counters(learnt_meters(data_dir, recipe.validation, recipe.split), fonts)


def fonts_of(
    recipe: RowRecipe, folders: Sequence[Path], held_out: bool, printed: bool = True, height: int = banks.HEIGHT
) -> list[banks.Style]:
    """The fonts to learn from, or those held out; as `banks.of_fonts`. Raises ConfigError where there are none."""
    fonts = banks.of_fonts(folders, printed, height)
    if not fonts:
        raise ConfigError(f"{', '.join(map(str, folders))}: no font of digits there; `make fonts` fetches some")
    others = np.random.default_rng(_FONTS).random(len(fonts)) < recipe.validation
    return [font for font, other in zip(fonts, others, strict=True) if other == held_out]


def stock(recipe: RowRecipe, data_dir: Path | None, folder: Path) -> list[Strip]:
    """The recipe's strips, from `folder` where a run of the same recipe left them, else made and left there."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [min(_SHARD, recipe.strips - first) for first in range(0, recipe.strips, _SHARD)]
    missing = [(k, size, folder) for k, size in enumerate(sizes) if not _shard(folder, k).is_file()]
    progress = tqdm(total=len(sizes), initial=len(sizes) - len(missing), desc="making strips", unit="file")
    if missing and recipe.strips > _WORTH_PROCESSES:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, context, _prepare, (recipe, data_dir)) as pool:
            for _ in pool.map(_make, missing):
                progress.update()
    elif missing:
        _prepare(recipe, data_dir)
        for task in missing:
            _make(task)
            progress.update()
    progress.close()
    strips = [strip for k in range(len(sizes)) for strip in _read(_shard(folder, k))]
    return [strip for strip in strips if _fits(strip)]


def validation(recipe: RowRecipe, data_dir: Path | None, count: int = 3000) -> list[Strip]:
    """Strips of writers, digits and fonts that a run does not learn from."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([_STRIPS, 1, 0, recipe.seed])
    held_out, _ = bank(recipe, data_dir, held_out=True)
    return [make_strip(held_out, rng) for _ in range(count)]


def batches(strips: list[Strip], recipe: RowRecipe, epoch: int) -> Iterator[Batch]:
    """An epoch's batches: every strip once, those of about one width together, in an order of the epoch's own."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([recipe.seed, 1 + epoch])
    widths = np.array([strip.shape[1] for strip, _ in strips]) * np.exp(rng.normal(0, 0.12, len(strips)))
    order = np.argsort(widths)
    parts = [order[i : i + recipe.batch] for i in range(0, len(order), recipe.batch)]
    for k in rng.permutation(len(parts)):
        yield padded([shown(strips[i], rng) for i in parts[k]], rng)


def per_epoch(strips: list[Strip], recipe: RowRecipe) -> int:
    """Batches of one epoch."""
    return -(-len(strips) // recipe.batch)


def shown(strip: Strip, rng: np.random.Generator) -> Strip:
    """The same row slanted, widened, paler or darker, with noise, sometimes with a blot."""
    ink, text = strip
    if rng.random() < 0.7:
        h, w = ink.shape
        slant, wide, tall = rng.normal(0, 0.12), np.exp(rng.normal(0, 0.08)), np.exp(rng.normal(0, 0.06))
        width = max(8, round(w * wide / STEP) * STEP)
        if width // STEP >= 2 * len(text) + 1:
            place = np.array([[wide, -slant, slant * h / 2], [0, tall, (1 - tall) * h / 2 + rng.normal(0, 0.6)]])
            ink = u8(cv2.warpAffine(ink, place, (width, h)))
    seen = ink.astype(np.float32) * np.float32(rng.uniform(0.6, 1.15))
    if rng.random() < 0.5:
        seen += rng.normal(0, rng.uniform(0, 8), seen.shape)
    if rng.random() < 0.15 and seen.shape[1] > 8:
        y, x = rng.integers(0, HEIGHT - 4), rng.integers(0, seen.shape[1] - 4)
        seen[y : y + rng.integers(2, 8), x : x + rng.integers(2, 8)] = rng.uniform(0, 200)
    return np.clip(seen, 0, 255).astype(np.uint8), text


def padded(strips: list[Strip], rng: np.random.Generator | None = None) -> Batch:
    """One batch; narrower strips stand anywhere in it, by `rng`, or left."""
    width = max(strip.shape[1] for strip, _ in strips)
    out = np.zeros((len(strips), HEIGHT, width), np.uint8)
    for row, (strip, _) in zip(out, strips, strict=True):
        room = (width - strip.shape[1]) // STEP
        left = STEP * int(rng.integers(room + 1)) if rng is not None else 0
        row[:, left : left + strip.shape[1]] = strip
    labels = [LABELS.index(label) for _, text in strips for label in text]
    lengths = [len(text) for _, text in strips]
    return Batch(torch.from_numpy(out), torch.tensor(labels, dtype=torch.int64), torch.tensor(lengths))


def by_width(strips: list[Strip], size: int) -> Iterator[list[int]]:
    """Indices of all strips, in batches of about one width."""
    order = sorted(range(len(strips)), key=lambda i: strips[i][0].shape[1])
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _fits(strip: Strip) -> bool:
    """Whether there is ink, and CTC can spell the text in its steps: one a digit, one more between equal ones."""
    ink, text = strip
    return bool(ink.any()) and ink.shape[1] // STEP > len(text) + sum(a == b for a, b in pairwise(text))


_bank: Bank | None = None  # of a process that makes strips


def _prepare(recipe: RowRecipe, data_dir: Path | None) -> None:
    global _bank, _seed
    cv2.setNumThreads(1)
    _bank, _ = bank(recipe, data_dir, held_out=False)
    _seed = recipe.seed


_seed = 0


def _make(task: tuple[int, int, Path]) -> None:
    k, size, folder = task
    assert _bank is not None
    rng = np.random.default_rng([_STRIPS, 0, k, _seed])
    made = [make_strip(_bank, rng) for _ in range(size)]
    path = _shard(folder, k)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file,
            flat=np.concatenate([strip.ravel() for strip, _ in made]),
            widths=np.array([strip.shape[1] for strip, _ in made]),
            texts=np.array([text for _, text in made]),
        )
    part.replace(path)


def _read(path: Path) -> list[Strip]:
    with np.load(path, allow_pickle=False) as file:
        flat, widths, texts = file["flat"], file["widths"].astype(np.int64), file["texts"].tolist()
    ends = HEIGHT * np.cumsum(widths)
    return [
        (flat[end - HEIGHT * width : end].reshape(HEIGHT, width), text)
        for end, width, text in zip(ends, widths, texts, strict=True)
    ]


def _shard(folder: Path, k: int) -> Path:
    return folder / f"train-{k:03d}.npz"
