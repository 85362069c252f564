"""The two kinds of networks, and what differs between them when they are exported and measured."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edge import model_store
from edge.arrays import F32, U8
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.imaging import normalise, strip
from edge.imaging.normalise import SIDE
from edge.model_card import ModelCard
from edge.recogniser import Recogniser
from edge.sequence import STEP, RowModel, best_path
from training.models import Classifier, RowNet

Samples = tuple[Sequence[U8] | U8, Sequence[object] | np.ndarray]
"""Inputs, and what is right of each: of single digits crops uint8 [N, 28, 28] and labels int64 [N], indices into the
card's labels; of rows strips uint8 [32, W] each and their texts.
"""

CPU = EngineConfig("cpu")


class Kind(ABC):
    """input: the name of the graph's input; preprocessing: the version of what makes its inputs."""

    input: str
    preprocessing: int

    @abstractmethod
    def example(self) -> torch.Tensor:
        """A batch of two to trace the network with."""

    @abstractmethod
    def dynamic(self) -> dict[int, object]:
        """Which axes of the input may have other sizes."""

    @abstractmethod
    def batches(self, inputs: Sequence[U8] | U8) -> list[U8]:
        """The inputs as batches that the graph takes, of few enough to hold in memory what is calibrated on them."""

    @abstractmethod
    def by_network(self, network: torch.nn.Module, inputs: Sequence[U8] | U8) -> list[F32]:
        """Each input's log-probabilities, float32 [K] or [T, K], by PyTorch."""

    @abstractmethod
    def by_file(self, path: Path, inputs: Sequence[U8] | U8) -> list[F32]:
        """The same by ONNX Runtime on the CPU and `edge`, as the box runs it; the temperature taken out again."""

    @abstractmethod
    def right(self, said: Sequence[F32], truth: Sequence[object] | np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """bool [N]: whether each is read as it should be."""


class Digits(Kind):
    input = "crops"
    preprocessing = normalise.PREPROCESSING

    def example(self) -> torch.Tensor:
        return torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)

    def dynamic(self) -> dict[int, object]:
        return {0: torch.export.Dim("N", min=1)}

    def batches(self, inputs: Sequence[U8] | U8) -> list[U8]:
        # All of one size, as ONNX Runtime's collectors want them: a remainder is left out, unless it is all there is.
        crops = np.asarray(inputs, np.uint8)
        ends = range(64, len(crops) + 1, 64) if len(crops) >= 64 else [len(crops)]
        return [crops[max(0, end - 64) : end] for end in ends]

    def by_network(self, network: torch.nn.Module, inputs: Sequence[U8] | U8) -> list[F32]:
        network.eval()
        with torch.no_grad():
            parts = [network(torch.from_numpy(part)) for part in _parts(inputs)]
        return list(torch.cat(parts).numpy())

    def by_file(self, path: Path, inputs: Sequence[U8] | U8) -> list[F32]:
        recogniser = Recogniser(path, CPU)
        scaled = np.concatenate([recogniser.log_probs(part) for part in _parts(inputs)])
        if recogniser.card.temperature != 1:
            scaled *= recogniser.card.temperature
            scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        return list(scaled)

    def right(self, said: Sequence[F32], truth: Sequence[object] | np.ndarray, labels: Sequence[str]) -> np.ndarray:
        return np.stack(said).argmax(1) == np.asarray(truth)


class Rows(Kind):
    input = "strips"
    preprocessing = strip.PREPROCESSING

    def example(self) -> torch.Tensor:
        return torch.zeros(2, strip.HEIGHT, 96, dtype=torch.uint8)

    def dynamic(self) -> dict[int, object]:
        steps = torch.export.Dim("T", min=2, max=strip.LONGEST // STEP)
        return {0: torch.export.Dim("N", min=1), 2: STEP * steps}

    # One at a time, as then no padding differs.
    def batches(self, inputs: Sequence[U8] | U8) -> list[U8]:
        return [ink[None] for ink in inputs]

    def by_network(self, network: torch.nn.Module, inputs: Sequence[U8] | U8) -> list[F32]:
        network.eval()
        with torch.no_grad():
            return [network(torch.from_numpy(ink[None]))[0].numpy() for ink in inputs]

    def by_file(self, path: Path, inputs: Sequence[U8] | U8) -> list[F32]:
        model = RowModel(path, CPU)
        return [model.log_probs([ink])[0] for ink in inputs]

    def right(self, said: Sequence[F32], truth: Sequence[object] | np.ndarray, labels: Sequence[str]) -> np.ndarray:
        texts = ["".join(labels[label] for label in best_path(steps).labels) for steps in said]
        return np.array([text == wanted for text, wanted in zip(texts, truth, strict=True)])


def kind_of(network: torch.nn.Module) -> Kind:
    """Raises ConfigError where the box could not run the network."""
    if isinstance(network, RowNet):
        return Rows()
    if isinstance(network, Classifier) and (network.size, network.channels) != (SIDE, 1):
        raise ConfigError(
            f"the box takes crops of {SIDE}x{SIDE} pixels in grey, and this network {network.size}x{network.size} "
            f"in {network.channels} channels; train it with network.size = {SIDE} and network.channels = 1"
        )
    return Digits()


def kind_of_card(card: ModelCard) -> Kind:
    return Rows() if model_store.kind_of(card) == "rows" else Digits()


def _parts(inputs: Sequence[U8] | U8) -> list[U8]:
    crops = np.asarray(inputs, np.uint8)
    return [crops[start : start + 512] for start in range(0, len(crops), 512)]
