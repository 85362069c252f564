"""Single digits, and whatever else has labels: what a recipe of `reads = "digits"` trains."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from edge.errors import ConfigError
from edge.model_card import REJECT
from edge.recogniser import Recogniser
from training import hands, losses, mnist
from training.adversarial import fgsm
from training.calibrate import fit_temperature
from training.checkpoint import begin_with, classifier_of
from training.dataset import LABELS, Batches, Samples, origins, stock, validation_samples
from training.engine import log_probs
from training.mnist import Mnist
from training.models import Classifier
from training.recipe import Recipe
from training.task import Measured, Task

Batch = tuple[Tensor, Tensor]
"""crops uint8 [N, S, S] or [N, S, S, C], labels int64 [N]."""


class DigitTask(Task[Batch]):
    network: Classifier

    def __init__(self, recipe: Recipe, data_dir: Path | None, start: Path | None = None) -> None:
        """start: a checkpoint whose weights to begin with."""
        chosen, held_out, names = _samples(recipe, data_dir)
        self.labels = (*names, REJECT) if recipe.mix.rejects else names
        self.recipe, self.network = recipe, classifier_of(recipe, self.labels)
        begin_with(self.network, start)
        others = hands.load(data_dir) if recipe.mix.hands and not recipe.folder else []
        foreign, foreign_out = hands.split(others, recipe.validation, recipe.seed)
        self.batches_of_run = Batches(chosen, stock(chosen, foreign, recipe, 1, labels=self.labels), recipe)
        self.validation = validation_samples(held_out, foreign_out, recipe, labels=self.labels)
        self.data = origins(chosen, foreign, recipe)
        weights = torch.ones(len(self.labels))
        if recipe.mix.rejects:
            weights[-1] = recipe.reject_weight
        self.weights = weights
        self._teacher = Recogniser(recipe.loss.teacher) if recipe.loss.teacher else None
        if self._teacher and self._teacher.card.labels != self.labels:
            raise ConfigError(
                f"{recipe.loss.teacher}: teaches {', '.join(self._teacher.card.labels)}, "
                f"and {recipe.name} learns {', '.join(self.labels)}; set the recipe's mix so that both are the same"
            )

    def steps(self, epoch: int) -> int:
        return self.batches_of_run.in_epoch(epoch)

    def batches(self, epoch: int) -> Iterator[Batch]:
        rest = range(sum(self.steps(before) for before in range(1, epoch)), len(self.batches_of_run))
        if self.recipe.plain == 1:  # nothing is drawn anew: quicker made than sent between processes
            return (self.batches_of_run[step] for step in rest)
        # Started afresh, not forked: a fork of a process in which OpenCV has run threads hangs.
        return iter(
            DataLoader(
                Subset(self.batches_of_run, rest),
                batch_size=None,
                num_workers=2,
                prefetch_factor=8,
                multiprocessing_context="spawn",
            )
        )

    def part(self, batch: Batch, rank: int, world: int) -> Batch:
        crops, labels = batch
        return crops[rank::world], labels[rank::world]

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        device = next(network.parameters()).device
        crops, labels = (part.to(device) for part in batch)
        attack = self.recipe.adversarial
        if attack.share:
            crops = self._attacked(crops, labels, round(attack.share * len(crops)))
        log_probs, weights = network(crops), self.weights.to(device)
        asked = self.recipe.loss
        if self._teacher is not None:
            told = torch.from_numpy(self._teacher.log_probs(crops.cpu().numpy())).to(device)
            return losses.distillation(log_probs, told, labels, asked.temperature, asked.share, weights)
        if asked.kind == "hybrid":
            return losses.hybrid(
                log_probs, labels, asked.smoothing, weights, distance=asked.margin, all_others=asked.all_others
            )
        return losses.cross_entropy(log_probs, labels, asked.smoothing, weights)

    def _attacked(self, crops: Tensor, labels: Tensor, count: int) -> Tensor:
        """The first `count` crops as FGSM makes them, in whole grey levels as a camera would see them."""
        x = self.network.scaled(crops[:count])
        x = fgsm(self.network, x, labels[:count], self.recipe.adversarial.epsilon)
        seen = (x * 255).round().to(torch.uint8)
        return torch.cat([seen.squeeze(1) if seen.shape[1] == 1 else seen.permute(0, 2, 3, 1), crops[count:]])

    def measure(self, network: nn.Module) -> Measured:
        return measure(network, self.validation)


def measure(network: nn.Module, samples: dict[str, Samples]) -> Measured:
    """The loss is the mean over all kinds of samples, each kind counting the same."""
    all_losses, accuracies, outs = [], {}, []
    for kind, (crops, labels) in samples.items():
        out = log_probs(network, crops)
        all_losses.append(-out[np.arange(len(labels)), labels].mean())
        accuracies[kind] = float((out.argmax(1) == labels).mean())
        outs.append(out)
    truth = np.concatenate([labels for _, labels in samples.values()])
    return Measured(float(np.mean(all_losses)), accuracies, fit_temperature(np.concatenate(outs), truth))


def _samples(recipe: Recipe, data_dir: Path | None) -> tuple[Mnist, Mnist, tuple[str, ...]]:
    """(to learn from, held out, labels), by the recipe's folder or MNIST's writers."""
    if recipe.folder is None:
        return *mnist.split_by_writer(mnist.load("train", data_dir), recipe.validation, recipe.seed), LABELS[:10]
    from training.own_pictures import read_folder, split

    found = read_folder(recipe.folder)
    for problem in found.problems:
        tqdm.write(problem, file=sys.stderr)
    rest, held_out = (
        Mnist(part.images, part.labels, None) for part in split(found.crops, recipe.validation, recipe.seed)
    )
    return rest, held_out, found.crops.names
