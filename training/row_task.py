"""Whole rows by CTC: what a recipe of `reads = "rows"` trains.

Beside what `training.engine` writes into the run's folder stands strips/: the stock, which the next run of the same
recipe takes as it is. Delete it after a change to what makes strips.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.sequence import best_path
from training.checkpoint import begin_with, row_net_of
from training.from_onnx import normalise
from training.recipe import RowRecipe
from training.row_dataset import LABELS, Batch, Strip, bank, batches, by_width, padded, per_epoch, stock, validation
from training.task import Measured, Task

_MEASURED = 100
"""Batches by which a model file's network is made ready to be trained."""


class RowTask(Task[Batch]):
    def __init__(self, recipe: RowRecipe, data_dir: Path | None, out: Path, start: Path | None = None) -> None:
        """out: the run's folder; start: a checkpoint or a model file whose weights to begin with."""
        self.recipe, self.labels, self.network = recipe, LABELS, row_net_of(recipe)
        begin_with(self.network, start)
        self.strips = stock(recipe, data_dir, out / "strips")
        if start is not None and start.suffix == ".onnx":
            normalise(self.network, (batch.strips for batch in islice(batches(self.strips, recipe, 0), _MEASURED)))
        self.held_out = validation(recipe, data_dir)
        _, self.data = bank(recipe, data_dir, held_out=False)

    def steps(self, epoch: int) -> int:
        return per_epoch(self.strips, self.recipe)

    def batches(self, epoch: int) -> Iterator[Batch]:
        for number in range(epoch, self.recipe.epochs + 1):
            yield from batches(self.strips, self.recipe, number)

    def part(self, batch: Batch, rank: int, world: int) -> Batch:
        texts = batch.labels.split(batch.lengths.tolist())
        return Batch(
            batch.strips[rank::world], torch.cat([*texts[rank::world], batch.labels[:0]]), batch.lengths[rank::world]
        )

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        log_probs = network(batch.strips.to(next(network.parameters()).device))
        return exact_loss(log_probs, batch, self.recipe.exactly) if self.recipe.exactly else ctc_loss(log_probs, batch)

    def measure(self, network: nn.Module) -> Measured:
        loss, right = measure(network, self.held_out)
        return Measured(loss, {"rows": right})

    def better(self, one: Measured, other: Measured) -> bool:
        """By rows read rightly: that is what the box is asked for."""
        return one.accuracies["rows"] > other.accuracies["rows"]


def ctc_loss(log_probs: Tensor, batch: Batch) -> Tensor:
    """Mean over the batch's texts, each by its length. log_probs: float32 [N, T, K]."""
    return (_surprise(log_probs, batch) / batch.lengths.to(log_probs.device).clamp(min=1)).mean()


def exact_loss(log_probs: Tensor, batch: Batch, power: float) -> Tensor:
    """Mean over the batch's texts of (1 - p ** power) / power, p the probability of the whole text: what is lost of the
    rows where power is 1. log_probs: float32 [N, T, K]; power: above 0, to 1.
    """
    return -torch.expm1(-power * _surprise(log_probs, batch)).mean() / power


def _surprise(log_probs: Tensor, batch: Batch) -> Tensor:
    """float32 [N]: minus the natural logarithm of each text's probability; 0 where its steps are too few for it."""
    steps = torch.full((log_probs.shape[0],), log_probs.shape[1])
    log_probs, labels = log_probs.float().transpose(0, 1), batch.labels.to(log_probs.device)
    return functional.ctc_loss(log_probs, labels, steps, batch.lengths, reduction="none", zero_infinity=True)


@torch.no_grad()
def measure(network: nn.Module, strips: list[Strip]) -> tuple[float, float]:
    """Mean loss, and the share of rows that the likeliest labels spell exactly."""
    network.eval()
    device = next(network.parameters()).device
    losses, right = [], 0
    for chosen in by_width(strips, 100):
        batch = padded([strips[i] for i in chosen])
        log_probs = network(batch.strips.to(device))
        losses.append(float(ctc_loss(log_probs, batch)) * len(chosen))
        for i, steps in zip(chosen, log_probs.cpu().numpy(), strict=True):
            right += "".join(LABELS[label] for label in best_path(steps).labels) == strips[i][1]
    return sum(losses) / len(strips), right / len(strips)
