"""How many validation pictures are read exactly: what the reader's settings are chosen by.

    python -m benchmarks.choice --data-dir DATA [--row-model MODEL.onnx]

Half are fields cut out, as of forms and cheques, by writers that `configs/recipes/rows-hands.toml` holds out (`make
fonts` comes first), half are pictures of `benchmarks.accuracy`'s kinds by held-out writers of MNIST's training digits.
The real cheques, which no weight learns from, stand apart: what the generator has no idea of shows there.

Figures in comments are of this command on the day of the choice; the generator has learnt to draw more since.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy import Sample, judge, pictures, source_of
from edge.arrays import u8
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.reader import Reader
from training import recipe
from training.row_dataset import bank
from training.synth.strips import make_field

KINDS = ("separated", "photo", "ruled", "touching", "crowd", "sheets", "displays")
_CHEQUES = "cheques"

_RECIPE = Path("configs/recipes/rows-hands.toml")
_HANDS = 1500  # of the stroke model; a tenth of them is held out
_WRITERS = {"mnist": 0.42, "hands": 0.2, "strokes": 0.3, "handwriting": 0.08, "fonts": 0, "cells": 0, "displays": 0}
_FIELDS_SEED, _KINDS_SEED = 77, 4711


def fields(data_dir: Path | None) -> Iterator[Sample]:
    """Fields cut out, of two digits or more, by hands that the row model's recipes hold out."""
    shipped = recipe.load(_RECIPE)
    assert isinstance(shipped, recipe.RowRecipe)
    writers = shipped.writers.model_copy(update=_WRITERS)
    hands, _ = bank(shipped.model_copy(update={"hands": _HANDS, "writers": writers}), data_dir, held_out=True)
    rng = np.random.default_rng(_FIELDS_SEED)
    while True:
        field = make_field(hands, rng)
        if len(field.text) > 1:
            yield Sample("field", u8(cv2.cvtColor(field.grey, cv2.COLOR_GRAY2BGR)), field.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="holds mnist/ and orand_car_dev/; else DIGITD_DATA")
    parser.add_argument("--count", type=int, default=100, help="pictures of each kind; of fields as many as of all")
    parser.add_argument("--row-model", type=Path)
    arguments = parser.parse_args()
    try:
        _measure(arguments.data_dir, arguments.count, arguments.row_model)
    except ConfigError as error:
        sys.exit(str(error))


def _measure(data_dir: Path | None, count: int, row_model: Path | None) -> None:
    cv2.setNumThreads(1)
    console = Console(stderr=True)
    reader = Reader(None, EngineConfig(threads=1), row_model)
    source, _ = source_of("validation", data_dir)
    samples = {"fields": islice(fields(data_dir), count * len(KINDS))}
    samples |= {kind: pictures(kind, source, count, _KINDS_SEED, data_dir) for kind in KINDS}
    try:
        samples[_CHEQUES] = pictures(_CHEQUES, source, count, _KINDS_SEED, data_dir)
    except ConfigError as error:
        console.print(f"{error}; left out: real cheques", soft_wrap=True)
    shown = Table(title="Exact number strings, validation")
    for heading in ("pictures", "count", "right", "ms, mean"):
        shown.add_column(heading, justify="left" if heading == "pictures" else "right")
    right = read = 0
    for kind, some in samples.items():
        outcomes = [judge(reader, one) for one in track(list(some), kind, console=console, transient=True)]
        found = sum(outcome.right for outcome in outcomes)
        ms = sum(outcome.ms for outcome in outcomes) / len(outcomes)
        shown.add_row(kind, str(len(outcomes)), str(found), f"{ms:.1f}")
        if kind != _CHEQUES:
            right, read = right + found, read + len(outcomes)
    shown.add_section()
    shown.add_row("all but the cheques", str(read), str(right), "")
    Console().print(shown)


if __name__ == "__main__":
    main()
