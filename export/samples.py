"""What int8 is calibrated on, and what files are measured on, by where a network comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.arrays import U8
from edge.errors import ConfigError
from edge.imaging.normalise import normalise
from export.kinds import Samples
from training import dataset, hands, mnist, row_dataset
from training.recipe import Recipe, RowRecipe
from training.synth.strips import make_strip
from training.synth.strokes import draw_hand

CALIBRATED = 256
"""Of each source."""
MEASURED = 1500
"""Of each source, held out from training."""
ROWS = 1000

MNIST_TEST = "mnist test"
HELD_OUT_ROWS = "rows of held-out writers"

# Streams of random numbers that do not meet those of training.
_CALIBRATION, _OTHERS = 3, 4


@dataclass(frozen=True)
class Sources:
    """calibration: of samples as the network was trained on, the sources mixed. tests: by name."""

    calibration: Sequence[U8] | U8
    tests: dict[str, Samples]


def test_set(recipe: Recipe | RowRecipe, labels: tuple[str, ...], data_dir: Path | None) -> dict[str, Samples]:
    """What a file is compared with its checkpoint on in any case: MNIST's test set, or rows of held-out writers. Of
    labels that are not MNIST's, the pictures held out.
    """
    if isinstance(recipe, RowRecipe):
        strips = row_dataset.validation(recipe, data_dir, ROWS)
        return {HELD_OUT_ROWS: ([ink for ink, _ in strips], [text for _, text in strips])}
    if recipe.folder is not None or labels[:10] != dataset.LABELS[:10]:
        return {"held out": _split(recipe, data_dir)[1]}
    mnist.load("test", data_dir)  # downloaded where it is missing
    return mnist_test(data_dir)


def of_recipe(recipe: Recipe | RowRecipe, labels: tuple[str, ...], data_dir: Path | None) -> Sources:
    """Of every source in the recipe's mix: training samples to calibrate on, and beside `test_set` validation samples
    to measure on.
    """
    if isinstance(recipe, RowRecipe):
        rng = np.random.default_rng([recipe.seed, _CALIBRATION])
        learnt, _ = row_dataset.bank(recipe, data_dir, held_out=False)
        return Sources([make_strip(learnt, rng)[0] for _ in range(CALIBRATED)], test_set(recipe, labels, data_dir))
    if recipe.folder is not None:
        (crops, _), _ = _split(recipe, data_dir)
        return Sources(_mixed([crops]), test_set(recipe, labels, data_dir))
    chosen, held_out = mnist.split_by_writer(mnist.load("train", data_dir), recipe.validation, recipe.seed)
    foreign = hands.load(data_dir) if recipe.mix.hands else []
    learnt, others = hands.split(foreign, recipe.validation, recipe.seed)
    stock = dataset.stock(chosen, learnt, recipe, _CALIBRATION, CALIBRATED, labels)
    validation = dataset.validation_samples(held_out, others, recipe, MEASURED, labels)
    plain = _drawn(chosen.images, 2 * CALIBRATED)
    return Sources(
        _mixed([plain, *(crops for crops, _ in stock.values())]),
        {**test_set(recipe, labels, data_dir), **{f"validation {kind}": of for kind, of in validation.items()}},
    )


def refuse_empty(data_dir: Path | None) -> None:
    """Raises ConfigError where a folder was named and MNIST is not in it; where none was, drawn digits will do."""
    if data_dir is not None:
        mnist.load("test", data_dir, download=False)


def mnist_test(data_dir: Path | None) -> dict[str, Samples]:
    """MNIST's test set where it lies in `data_dir`, else no test."""
    try:
        test = mnist.load("test", data_dir, download=False)
    except ConfigError:
        return {}
    return {MNIST_TEST: (test.images, test.labels.astype(np.int64))}


def of_digits(data_dir: Path | None) -> Sources:
    """Where nothing is known of a network but that it reads digits: MNIST's, where they are there, and what training
    makes of them; else the stroke model's.
    """
    recipe = Recipe(name="any")
    tests = mnist_test(data_dir)
    train = mnist.load("train", data_dir, download=False) if tests else _by_strokes(20 * CALIBRATED)
    chosen, held_out = mnist.split_by_writer(train, recipe.validation, recipe.seed)
    stock = dataset.stock(chosen, [], recipe, _CALIBRATION, CALIBRATED)
    of = "MNIST's" if tests else "drawn"  # by its name a test is known again: other samples, another name
    for kind, samples in dataset.stock(held_out, [], recipe, _OTHERS, MEASURED).items():
        tests[f"{kind}, of {of} digits"] = samples
    return Sources(_mixed([_drawn(chosen.images, 2 * CALIBRATED), *(crops for crops, _ in stock.values())]), tests)


def drawn_test() -> dict[str, Samples]:
    """What a file can be run on without MNIST: digits of the stroke model."""
    drawn = _by_strokes(MEASURED)
    return {"drawn digits": (drawn.images, drawn.labels.astype(np.int64))}


def _by_strokes(count: int) -> mnist.Mnist:
    """Digits of the stroke model's writers in the place of MNIST's, ten of each."""
    rng = np.random.default_rng(_CALIBRATION)
    writers = [draw_hand(rng, dataset.HANDS) for _ in range(count // 10)]
    images = np.stack([normalise(writer.digit(label, rng)) for writer in writers for label in range(10)])
    labels = np.tile(np.arange(10, dtype=np.uint8), len(writers))
    return mnist.Mnist(images, labels, np.repeat(np.arange(len(writers), dtype=np.int32), 10))


def _split(recipe: Recipe, data_dir: Path | None) -> tuple[Samples, Samples]:
    """(learnt, held out), of a recipe with a folder of its own."""
    from training.own_pictures import read_folder, split

    if recipe.folder is None:
        raise ConfigError(f"{recipe.name}: its labels are not MNIST's and it names no folder of pictures to measure on")
    rest, held_out = split(read_folder(recipe.folder), recipe.validation, recipe.seed)
    return (rest.crops, rest.labels), (held_out.crops, held_out.labels)


def _drawn(crops: U8, count: int) -> U8:
    rng = np.random.default_rng(_CALIBRATION)
    return crops[rng.permutation(len(crops))[:count]]


def _mixed(parts: list[U8]) -> U8:
    """One source's crops after another's, shuffled, so that any part of them holds some of each."""
    crops = np.concatenate(parts)
    return crops[np.random.default_rng(_CALIBRATION).permutation(len(crops))]
