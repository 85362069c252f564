"""A model taught its user's own hand, from a few dozen pictures, in minutes, without forgetting the others.

Half of a batch are the user's examples, each bent and redrawn anew; the rest is replay, digits of other hands and what
is no digit. On those the network is held to what it said before (Li and Hoiem, "Learning without forgetting", 2016): to
that alone, as learning their labels again cost five times as many of MNIST's digits. Its head learns, its trunk stays
as it is or learns more slowly, and batch normalisation keeps what it has.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from edge.arrays import U8
from edge.errors import ConfigError
from edge.imaging.normalise import normalise
from edge.model_card import REJECT, Data
from training import losses, mnist
from training.augment import Augmentation
from training.calibrate import fit_temperature
from training.dataset import HANDS, LABELS, Samples, stock
from training.engine import Epoch, Run, log_probs, train
from training.models import Classifier
from training.own_pictures import Crops
from training.recipe import Mix, Network, Optimiser, Recipe
from training.synth.strokes import draw_hand
from training.task import Measured, Task

OWN = Augmentation(turn=10, slant=0.2, stretch=0.2, bend=0.8, pen=0.35, blur=0.8, noise=8.0, coarse=18)
"""What a user's few examples become, so that each shows more than itself."""

# What keeping counts for in the loss, where learning counts 1. Set, like the rates, on four strange hands of 20
# examples and 6,000 MNIST digits of held-out writers: at 4 the head came to 99.7 to 100 % of the hand and lost 0.03 to
# 0.1 points of MNIST, at 12 to 99.0 to 100 % and nothing; with the trunk at half the rate it was no more, at 0.03 to
# 0.17, in twice the time.
_KEPT = 12.0
_REPLAY = 6000  # digits of other hands to learn from again, and a third as many to measure by
EACH = 240
"""Of each kind of what is no digit, likewise."""
_MIX = Mix(mnist=1, strokes=0, parts=40, pairs=16, marks=20, lines=4)

Batch = tuple[Tensor, Tensor, Tensor]
"""crops uint8 [N, 28, 28], labels int64 [N], and what the network said before, float32 [N, K]; own examples first."""


@dataclass(frozen=True)
class Settings:
    """epochs: at most; steps: batches of each. own, replayed: samples of a batch.
    rate: the head's learning rate; trunk: the share of it that the rest learns at, 0 keeps it as it is.
    patience: epochs without gain after which it ends.
    """

    epochs: int = 6
    steps: int = 25
    own: int = 64
    replayed: int = 128
    rate: float = 4e-3
    trunk: float = 0.0
    patience: int = 4
    seed: int = 1

    def recipe(self, network: Network) -> Recipe:
        optimiser = Optimiser(rate=self.rate, trunk=self.trunk, decay=0.01, warm_up=0.1, average=0.9)
        return Recipe(
            name="finetuned",
            epochs=self.epochs,
            seed=self.seed,
            network=network,
            optimiser=optimiser,
            patience=self.patience,
        )


@dataclass(frozen=True)
class Replay:
    """What must not be forgotten. learnt: samples to learn from again; held_out: others to measure by."""

    learnt: Samples
    held_out: Samples
    data: tuple[Data, ...]


class FinetuneTask(Task[Batch]):
    """held_out: examples not learnt from, to choose the epoch by; none: the last epoch is chosen."""

    network: Classifier

    def __init__(
        self,
        base: Classifier,
        labels: tuple[str, ...],
        own: Crops,
        held_out: Crops | None,
        replay: Replay,
        settings: Settings,
    ) -> None:
        self.labels, self.settings = labels, settings
        self.network = deepcopy(base)
        self.own, self.held_out = own, held_out
        self.replay = replay
        self.data = replay.data
        self.own_labels = np.array([labels.index(own.names[label]) for label in own.labels])
        self.said = log_probs(base, replay.learnt[0])

    def steps(self, epoch: int) -> int:
        return self.settings.steps

    def batches(self, epoch: int) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        for number in range(epoch, self.settings.epochs + 1):
            for step in range(self.settings.steps):
                yield self._batch(np.random.default_rng([self.settings.seed, number, step]))

    def _batch(self, rng: np.random.Generator) -> Batch:
        """Each label is drawn as often as any other, however many examples it has."""
        there = np.unique(self.own_labels)
        asked = there[rng.integers(len(there), size=self.settings.own)]
        chosen = [rng.choice(np.flatnonzero(self.own_labels == label)) for label in asked]
        shown = np.stack([normalise(OWN(self.own.images[i], rng)) for i in chosen])
        crops, truth = self.replay.learnt
        again = rng.integers(len(crops), size=self.settings.replayed)
        said = np.concatenate([np.zeros((len(shown), self.said.shape[1]), np.float32), self.said[again]])
        return (
            torch.from_numpy(np.concatenate([shown, crops[again]])),
            torch.from_numpy(np.concatenate([self.own_labels[chosen], truth[again]])),
            torch.from_numpy(said),
        )

    def part(self, batch: Batch, rank: int, world: int) -> Batch:
        if world > 1:
            raise ConfigError("fine-tuning takes one process; start it without torchrun")
        return batch

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        device = next(network.parameters()).device
        crops, labels, said = (part.to(device) for part in batch)
        out, own = network(crops), self.settings.own
        kept = losses.distillation(out[own:], said[own:], labels[own:], share=1.0)
        return losses.cross_entropy(out[:own], labels[:own], smoothing=0.05) + _KEPT * kept

    def measure(self, network: nn.Module) -> Measured:
        parts = {"others": self.replay.held_out}
        if self.held_out is not None:
            truth = np.array([self.labels.index(self.held_out.names[label]) for label in self.held_out.labels])
            parts["own"] = (self.held_out.images, truth)
        outs = {kind: log_probs(network, crops) for kind, (crops, _) in parts.items()}
        each = {kind: -outs[kind][np.arange(len(truth)), truth].mean() for kind, (_, truth) in parts.items()}
        right = {kind: float((outs[kind].argmax(1) == truth).mean()) for kind, (_, truth) in parts.items()}
        # The temperature is the other hands': a dozen held-out examples cannot tell how sure it may be.
        return Measured(float(sum(each.values())), right, fit_temperature(outs["others"], parts["others"][1]))

    def better(self, one: Measured, other: Measured) -> bool:
        return self.held_out is None or one.loss < other.loss

    def learning(self, network: nn.Module) -> None:
        """Statistics of a few hands in a batch would not be those of all: normalisation keeps its own."""
        network.train()
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()


def replay(labels: tuple[str, ...], data_dir: Path | None, seed: int) -> Replay:
    """MNIST's training digits where they are there, else the stroke model's; and what is no digit, made from them."""
    rng = np.random.default_rng([seed, 5])
    try:
        digits = mnist.load("train", data_dir, download=False)
        chosen = rng.permutation(len(digits))[: _REPLAY + _REPLAY // 3]
        data = Data("MNIST, training digits", _REPLAY, "CC BY-SA 3.0", "")
    except ConfigError:
        digits = _by_strokes(_REPLAY + _REPLAY // 3, rng)
        chosen = np.arange(len(digits))
        data = Data("the project's stroke model", _REPLAY, "Apache-2.0", "")
    recipe = Recipe(name="replay", seed=seed, mix=_MIX if REJECT in labels else without_rejects(_MIX))
    parts = []
    for index, count in ((chosen[: -(len(chosen) // 4)], EACH), (chosen[-(len(chosen) // 4) :], EACH // 3)):
        some = digits.take(index)
        samples = {"digits": (some.images, some.labels.astype(np.int64)), **stock(some, [], recipe, seed, count)}
        crops = np.concatenate([crops for crops, _ in samples.values()])
        truth = np.concatenate([truth for _, truth in samples.values()])
        known = np.array([label in labels for label in LABELS])
        where = np.array([labels.index(label) if label in labels else -1 for label in LABELS])
        parts.append((crops[known[truth]], where[truth[known[truth]]]))
    return Replay(parts[0], parts[1], (data,))


def without_rejects(mix: Mix) -> Mix:
    """The mix without what is no digit, for networks that have no label for it."""
    return mix.model_copy(update={"parts": 0, "pairs": 0, "marks": 0, "lines": 0})


def _by_strokes(count: int, rng: np.random.Generator) -> mnist.Mnist:
    hands = [draw_hand(rng, HANDS) for _ in range(count // 10)]
    images: list[U8] = [normalise(hand.digit(label, rng)) for hand in hands for label in range(10)]
    return mnist.Mnist(np.stack(images), np.tile(np.arange(10, dtype=np.uint8), len(hands)), None)


def widened(base: Classifier, labels: tuple[str, ...], new: tuple[str, ...]) -> tuple[Classifier, tuple[str, ...]]:
    """A network that has labels for `new`, too, behind its own, which it takes for nothing yet."""
    if not new:
        return base, labels
    wider = deepcopy(base)
    old = base.head
    head = nn.Linear(old.in_features, old.out_features + len(new))
    with torch.no_grad():
        head.weight.zero_()
        head.weight[: old.out_features] = old.weight
        head.bias.fill_(float(old.bias.min()) - 2)
        head.bias[: old.out_features] = old.bias
    wider.head, wider.classes = head, old.out_features + len(new)
    return wider, (*labels, *new)


def finetune(task: FinetuneTask, network: Network, out: Path, run: Run | None = None) -> Epoch:
    """Train, write the run's folder as `training.engine` does, and leave in `task.network` what was chosen."""
    recipe = task.settings.recipe(network)
    best = train(task, recipe, out, run)
    weights = torch.load(out / "best.pt", map_location="cpu", weights_only=True)["weights"]
    task.network.load_state_dict(weights)
    task.network.eval()
    return best
