"""Pictures of a training run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from training.engine import Epoch


def history(epochs: "Sequence[Epoch]", path: Path) -> None:
    """Losses left, errors by kind of sample right, over epochs."""
    numbers = [epoch.epoch for epoch in epochs]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(numbers, [epoch.training_loss for epoch in epochs], label="training")
    left.plot(numbers, [epoch.validation_loss for epoch in epochs], label="validation")
    left.set(xlabel="epoch", ylabel="negative log-likelihood", yscale="log", title="Loss")
    for kind in epochs[-1].validation_accuracy:
        right.plot(numbers, [100 * (1 - epoch.validation_accuracy[kind]) for epoch in epochs], label=kind)
    right.set(xlabel="epoch", ylabel="wrong, %", yscale="symlog", title="Validation errors")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
