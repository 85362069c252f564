"""A network that tells classes apart by a few examples of each: prototypes (Snell, Swersky and Zemel, 2017).

    digitd train --recipe fewshot

learns by episodes, in each of which classes are told apart by some examples: the ten digits, and some of the letters
and signs of the stroke model, so that it learns to compare and not only the ten digits. Its head is the digits'
prototypes: it exports and reads as any other network, and `digitd finetune` adds to it without training.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge.arrays import U8
from edge.errors import ConfigError
from edge.imaging.normalise import normalise
from edge.model_card import Data
from training import mnist
from training.augment import GENTLE
from training.checkpoint import begin_with, classifier_of
from training.dataset import HANDS, LABELS, sized
from training.digit_task import measure
from training.models import Classifier
from training.own_pictures import Crops
from training.prototypes import add_class, prototype_head, prototypical_loss
from training.recipe import Episodes, Recipe
from training.synth.glyphs import MARKS
from training.synth.strokes import draw_hand
from training.task import Measured, Task

_OF_A_DIGIT = 500  # examples that its prototype is the mean of
_OF_A_SIGN = 60
_OWN = 0.5  # of a class's prototype that a user's examples of it are

Batch = tuple[Tensor, Tensor]
"""Examples and questions, uint8 [ways, shots, S, S] and [ways, queries, S, S], class by class."""


class EpisodeTask(Task[Batch]):
    network: Classifier

    def __init__(self, recipe: Recipe, data_dir: Path | None, start: Path | None = None) -> None:
        """start: a checkpoint whose weights to begin with."""
        assert recipe.episodes is not None
        self.recipe, self.asked, self.labels = recipe, recipe.episodes, LABELS[:10]
        self.network = classifier_of(recipe, self.labels)
        begin_with(self.network, start)
        digits, held_out = mnist.split_by_writer(mnist.load("train", data_dir), recipe.validation, recipe.seed)
        rng = np.random.default_rng([recipe.seed, 7])
        self.digits = [digits.images[digits.labels == label] for label in range(10)]
        self.classes = [*self.digits, *(_signs(kind, rng) for kind in MARKS)]
        if self.asked.ways > len(self.classes):
            raise ConfigError(f"{recipe.name}: episodes.ways is {self.asked.ways}, and there are {len(self.classes)}")
        self.validation = {"mnist": (sized(held_out.images, recipe), held_out.labels.astype(np.int64))}
        self.data = (
            Data("MNIST, training digits of the writers not held out", len(digits), "CC BY-SA 3.0", ""),
            Data("the project's stroke model: marks, letters", _OF_A_SIGN * len(MARKS), "Apache-2.0", ""),
        )

    def steps(self, epoch: int) -> int:
        return self.asked.per_epoch

    def batches(self, epoch: int) -> Iterator[Batch]:
        for number in range(epoch, self.recipe.epochs + 1):
            for step in range(self.asked.per_epoch):
                yield self._episode(self.asked, np.random.default_rng([self.recipe.seed, number, step]))

    def _episode(self, asked: Episodes, rng: np.random.Generator) -> Batch:
        """The digits, which it is to read, and of the others as many as there is room for."""
        support, queries = [], []
        signs = len(self.digits) + rng.permutation(len(self.classes) - len(self.digits))
        for index in [*rng.permutation(len(self.digits)), *signs][: asked.ways]:
            crops = self.classes[index]
            drawn = crops[rng.choice(len(crops), asked.shots + asked.queries, replace=False)]
            support.append(drawn[: asked.shots])
            queries.append(drawn[asked.shots :])
        return tuple(
            torch.from_numpy(np.stack([sized(one, self.recipe) for one in part])) for part in (support, queries)
        )

    def part(self, batch: Batch, rank: int, world: int) -> Batch:
        if world > 1:
            raise ConfigError("episodes are learnt by one process; start it without torchrun")
        return batch

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        support, queries = batch
        ways, shots = support.shape[:2]
        crops = torch.cat([support.flatten(0, 1), queries.flatten(0, 1)]).to(next(network.parameters()).device)
        embeddings = self.network.embed(self.network.scaled(crops))
        loss, _ = prototypical_loss(
            embeddings[: ways * shots].unflatten(0, (ways, shots)),
            embeddings[ways * shots :].unflatten(0, (ways, -1)),
        )
        return loss

    def measure(self, network: nn.Module) -> Measured:
        """By the digits' prototypes, which become the network's head."""
        assert isinstance(network, Classifier)
        examples = [embedded(network, sized(crops[:_OF_A_DIGIT], self.recipe)) for crops in self.digits]
        network.head = prototype_head(torch.stack([one[: min(map(len, examples))] for one in examples]))
        return measure(network, self.validation)


def with_examples(network: Classifier, labels: tuple[str, ...], own: Crops, new: tuple[str, ...]) -> Classifier:
    """The network with a prototype for each new label, and its own ones drawn towards a user's examples of them."""
    taught = deepcopy(network)
    known = len(labels) - len(new)
    head = nn.Linear(taught.head.in_features, known)
    with torch.no_grad():
        # What is new has a row already that says nothing: it is left out and put in by its prototype.
        head.weight.copy_(taught.head.weight[:known])
        head.bias.copy_(taught.head.bias[:known])
        for index, name in enumerate(own.names):
            crops = own.images[own.labels == index]
            if not len(crops) or name in new:
                continue
            row = labels.index(name)
            prototype = (1 - _OWN) * head.weight[row] / 2 + _OWN * embedded(taught, crops).mean(0)
            head.weight[row], head.bias[row] = 2 * prototype, -prototype.square().sum()
        for name in new:
            head = add_class(head, embedded(taught, own.images[own.labels == own.names.index(name)]))
    taught.head, taught.classes = head, len(labels)
    return taught.eval()


@torch.no_grad()
def embedded(network: Classifier, crops: U8) -> Tensor:
    """float32 [N, D] of crops uint8 [N, S, S]."""
    network.eval()
    device = next(network.parameters()).device
    parts = (torch.from_numpy(crops[i : i + 1024]).to(device) for i in range(0, len(crops), 1024))
    return torch.cat([network.embed(network.scaled(part)) for part in parts])


def _signs(kind: str, rng: np.random.Generator) -> U8:
    hands = [draw_hand(rng, HANDS) for _ in range(_OF_A_SIGN)]
    return np.stack([normalise(GENTLE.bent(hand.mark(kind, rng), rng)) for hand in hands])
