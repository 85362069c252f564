"""Checkpoint -> model files, as the box will run them, or an error and no file."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.model_card import ModelCard, Precision
from export.kinds import kind_of
from export.model_file import Exported, export_network
from export.program import save_torch_program
from export.samples import MNIST_TEST, Sources, of_recipe, test_set
from training.adversarial import costs
from training.checkpoint import load
from training.models import Classifier

EPSILONS = (0.05, 0.1)
_ATTACKED = 500  # digits: each costs forty times what reading it does
_ATTACKS = f"{MNIST_TEST}, the first {_ATTACKED}"
LICENCE = "CC BY-SA 3.0"  # of the weights, as that of MNIST, which they were trained on


def export_onnx(
    checkpoint: Path, out: Path, data_dir: Path | None, precisions: Sequence[Precision] = ("float32",)
) -> tuple[Exported, ...]:
    """Write `out`, and its card `out`.md, from a checkpoint of `digitd train`; other precisions beside it.

    Each file is compared with the checkpoint: single digits' on the whole MNIST test set, rows' on a thousand rows of
    writers held out from training, those of other labels on the pictures held out; other precisions than float32 on
    validation samples of each source in the recipe's mix besides. Raises ConfigError, and leaves what lay there as it
    was, where a file fails a gate.
    """
    network, recipe, facts = load(checkpoint)
    kind = kind_of(network)
    card = ModelCard(
        name=recipe.name,
        labels=facts.labels,
        preprocessing=kind.preprocessing,
        temperature=facts.temperature,
        recipe=f"configs/recipes/{recipe.name}.toml",
        recipe_sha256=recipe.sha256,
        epochs=facts.epoch,
        seed=recipe.seed,
        parameters=0,  # counted by export_network
        data=facts.data,
        accuracies=facts.accuracies,
        commit=_commit(),
        licence=LICENCE,
    )
    if set(precisions) == {"float32"}:
        sources = Sources((), test_set(recipe, facts.labels, data_dir))
    else:
        sources = of_recipe(recipe, facts.labels, data_dir)
    if isinstance(network, Classifier) and MNIST_TEST in sources.tests:
        crops, truth = sources.tests[MNIST_TEST]
        told = costs(network, np.asarray(crops)[:_ATTACKED], np.asarray(truth)[:_ATTACKED], _ATTACKS, EPSILONS)
        card = replace(card, attacked=told)
    return export_network(network, card, out, sources.tests, sources.calibration, precisions, str(checkpoint))


def export_torch_program(checkpoint: Path, out: Path) -> None:
    """Write a checkpoint's network as `torch.export` saves it, for those who run PyTorch without this package."""
    network, _, _ = load(checkpoint)
    save_torch_program(network, kind_of(network), out)


def _commit() -> str:
    """Of the source tree this runs from, with a `+` when it has changes; empty outside one."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True)  # noqa: S603, S607
        return answer.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
