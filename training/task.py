"""What the engine trains: a network, the batches it learns from, its loss, and how it is measured."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor, nn

from edge.model_card import Data

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Measured:
    """loss: mean negative log-likelihood of what a run is chosen by; accuracies: shares in [0, 1] by kind of sample;
    temperature: that calibrates it.
    """

    loss: float
    accuracies: dict[str, float]
    temperature: float = 1.0


class Task(ABC, Generic[Batch]):
    """labels: what the network's outputs mean; data: where its samples come from, for the model card."""

    network: nn.Module
    labels: tuple[str, ...]
    data: tuple[Data, ...]

    @abstractmethod
    def steps(self, epoch: int) -> int:
        """Batches of an epoch, from 1."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """Of `epoch` and all that follow; the same for the same epoch, whichever it was asked to begin with."""

    @abstractmethod
    def part(self, batch: Batch, rank: int, world: int) -> Batch:
        """What one of `world` processes that train together takes of a batch."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """float32 scalar. network: `self.network`, or what carries it over several processes."""

    @abstractmethod
    def measure(self, network: nn.Module) -> Measured:
        """On samples not learnt from."""

    def better(self, one: Measured, other: Measured) -> bool:
        """Whether `one` is to be chosen before `other`."""
        return one.loss < other.loss

    def learning(self, network: nn.Module) -> None:
        """Put a network into the mode it learns in."""
        network.train()
