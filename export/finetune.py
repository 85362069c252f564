"""A user's own pictures -> a model file that reads their hand: cut out, learnt, gated, offered for promotion."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edge.arrays import U8
from edge.engine import read_card
from edge.errors import ConfigError
from edge.imaging.normalise import PREPROCESSING
from edge.model_card import Data, ModelCard
from edge.model_store import kind_of
from edge.reader import Reader
from edge.recogniser import default_model
from export.gates import Refused
from export.kinds import Samples
from export.model_file import Exported, beside, changed_card, export_network
from export.onnx_file import LICENCE
from export.samples import mnist_test
from training import checkpoint, fewshot
from training.calibrate import fit_temperature
from training.dataset import LABELS
from training.engine import Run, log_probs
from training.finetune import FinetuneTask, Settings, finetune, replay, widened
from training.from_onnx import digit_net
from training.models import Classifier
from training.own_pictures import Crops, split
from training.recipe import Network, Recipe
from training.synth.plain_rows import plain_rows

_ROWS = 40  # put together of single digits, to see whether the row model helps
_ENOUGH = 20  # held-out examples to put them together of; of fewer, those learnt from are taken
_BY_FAR = 0.1  # of the rows: the row model knows more of other hands, and goes only where it harms this one
HELD_OUT = "own, held out"


@dataclass(frozen=True)
class Base:
    """What is taught: a network, its labels, and how it is built."""

    network: Classifier
    labels: tuple[str, ...]
    recipe: Recipe
    data: tuple[Data, ...]
    licence: str


@dataclass(frozen=True)
class Taught:
    """before, after: shares right, in [0, 1], by test; by_label: of the held-out examples, (before, after, count)."""

    files: tuple[Exported, ...]
    examples: int
    held_out: int
    before: dict[str, float]
    after: dict[str, float]
    by_label: dict[str, tuple[int, int, int]]


def base_of(path: Path | None) -> Base:
    """A model file of the shipped family or a checkpoint of single digits; None takes the shipped one."""
    path = path or default_model()
    if path.suffix == ".pt":
        network, recipe, facts = checkpoint.load(path)
        if isinstance(network, Classifier) and isinstance(recipe, Recipe):
            return Base(network, facts.labels, recipe, facts.data, LICENCE)
    elif kind_of(read_card(path)) == "digits":
        network, card = digit_net(path)
        recipe = Recipe(name=card.name, network=Network(width=network.width))
        return Base(network, card.labels, recipe, card.data, card.licence)
    raise ConfigError(f"{path}: reads whole rows; fine-tuning teaches single digits, so name a model of those")


def teach(
    examples: Crops,
    out: Path,
    base: Base,
    settings: Settings,
    data_dir: Path | None = None,
    held_out: float = 0.2,
    run: Run | None = None,
    tell: Callable[[str], None] = print,
) -> Taught:
    """Learn from examples, write `out` and its int8 twin where that passes its gates, and NAME.run/, a run's folder.

    held_out: share of the examples to judge by; 0 learns from all and judges by other hands alone. Raises UsageError,
    ConfigError in one line.
    """
    own, aside = split(examples, held_out, settings.seed, every_label=False) if held_out else (examples, None)
    # A label none of whose pictures could be used is none, as was said when they were read.
    there = (name for name, count in zip(examples.names, examples.counts, strict=True) if count)
    new = tuple(name for name in there if name not in base.labels)
    network, labels = widened(base.network, base.labels, new)
    others = replay(base.labels, data_dir, settings.seed)
    tell(f"not to forget by: {others.data[0].name}")
    if base.recipe.episodes is not None:
        taught, epochs = fewshot.with_examples(network, labels, own, new), 0
        temperature = fit_temperature(log_probs(taught, others.held_out[0]), others.held_out[1])
    else:
        task = FinetuneTask(network, labels, own, aside, others, settings)
        best = finetune(task, base.recipe.network, out.with_suffix(".run"), run)
        taught, temperature, epochs = task.network, best.temperature, best.epoch

    tests = _tests(labels, aside, others.held_out, data_dir)
    before = {name: _right(base.network, samples) for name, samples in tests.items()}
    after = {name: _right(taught, samples) for name, samples in tests.items()}
    own_data = Data("the user's own pictures", len(own), "the user's", "")
    card = ModelCard(
        name=f"{base.recipe.name}-finetuned"[:80],
        labels=labels,
        preprocessing=PREPROCESSING,
        temperature=temperature,
        recipe="fine-tuned",
        recipe_sha256=base.recipe.sha256,
        epochs=epochs,
        seed=settings.seed,
        parameters=0,
        data=(*base.data, own_data),
        accuracies={},
        commit="",
        licence=base.licence,
    )
    calibration = np.concatenate([own.images, others.learnt[0][:1000]])
    files = _exported(taught, card, out, tests, calibration, tell)
    alone = _reads_better_alone(files[0].path, aside if aside is not None and len(aside) >= _ENOUGH else own, tell)
    for file in files if alone else ():
        changed_card(file.path, alone=True)
    by_label = _by_label(base.network, taught, labels, aside) if aside is not None else {}
    return Taught(files, len(own), len(aside) if aside else 0, before, after, by_label)


def _reads_better_alone(path: Path, crops: Crops, tell: Callable[[str], None]) -> bool:
    """Whether rows of these digits are read better without the row model, which knows nothing of what was taught."""
    rows = plain_rows(crops.images, crops.labels, crops.names, _ROWS, 5, np.random.default_rng(0))
    reader = Reader(path)
    if reader.row_model is None:  # of other labels: there is no choice
        return False
    shares = []
    for row_model in (reader.row_model, None):
        reader.row_model = row_model
        said = (max((row.text for row in reader.read(page)), key=len, default="") for page, _ in rows)
        shares.append(sum(text == truth for text, (_, truth) in zip(said, rows, strict=True)) / len(rows))
    better = shares[1] > shares[0] + _BY_FAR
    tell(
        f"rows put together of your digits: {shares[0]:.0%} right with the row model, {shares[1]:.0%} without: "
        f"read {'without' if better else 'with'} it"
    )
    return better


def _tests(labels: tuple[str, ...], aside: Crops | None, others: Samples, data_dir: Path | None) -> dict[str, Samples]:
    tests: dict[str, Samples] = {_named("other hands and what is no digit", others[0]): others}
    if aside is not None:
        tests[_named(HELD_OUT, aside.images)] = (
            aside.images,
            np.array([labels.index(aside.names[label]) for label in aside.labels]),
        )
    return tests | (mnist_test(data_dir) if labels[:10] == LABELS[:10] else {})


def _named(test: str, crops: Sequence[U8] | U8) -> str:
    """With a mark of the very samples: files are compared by tests of one name, when one is promoted."""
    return f"{test} ({hashlib.sha256(np.asarray(crops).tobytes()).hexdigest()[:6]})"


def _exported(
    network: torch.nn.Module,
    card: ModelCard,
    out: Path,
    tests: dict[str, Samples],
    calibration: np.ndarray,
    tell: Callable[[str], None],
) -> tuple[Exported, ...]:
    """float32, which has to pass, and int8, which is left out with a word where it does not."""
    files = export_network(network, card, out, tests, calibration, ["float32"])
    try:
        return files + export_network(network, card, out, tests, calibration, ["int8"])
    except Refused as error:
        old = beside(out, "int8")
        tell(f"{error}; {old} that is there was taught before" if old.exists() else str(error))
    return files


def _right(network: Classifier, samples: Samples) -> float:
    crops, truth = samples
    return float((log_probs(network, np.asarray(crops)).argmax(1) == np.asarray(truth)).mean())


def _by_label(
    base: Classifier, taught: Classifier, labels: tuple[str, ...], aside: Crops
) -> dict[str, tuple[int, int, int]]:
    truth = np.array([labels.index(aside.names[label]) for label in aside.labels])
    was, now = (log_probs(network, aside.images).argmax(1) == truth for network in (base, taught))
    return {
        labels[label]: (int(was[truth == label].sum()), int(now[truth == label].sum()), int((truth == label).sum()))
        for label in sorted(set(truth.tolist()))
    }


def table(taught: Taught) -> str:
    """What it was worth, for a terminal."""
    lines = []
    if taught.by_label:
        lines.append("held out  examples  right before  right after")
        lines += [f"{name:>8}  {n:>8}  {was:>12}  {now:>11}" for name, (was, now, n) in taught.by_label.items()]
    lines += [f"{name}: {taught.before[name]:.2%} before, {taught.after[name]:.2%} after" for name in taught.before]
    return "\n".join(lines)
