"""How right a model is on digits whose labels are known, and how honest about it. A model file is run as the box runs
it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.arrays import F32, F64, U8
from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.recogniser import Recogniser
from training import mnist

if TYPE_CHECKING:
    from training.models import Classifier

BINS = 15
"""Of the expected calibration error, as Guo et al., "On calibration of modern neural networks", 2017, take them."""

_Z = 1.959964  # standard deviations round the mean that hold 95 % of a normal distribution


@dataclass(frozen=True)
class Model:
    """A model to be asked.

    labels: what its K answers mean. log_probs: crops uint8 [N, S, S] or [N, S, S, C] to float32 [N, K], calibrated by
    its temperature. network: of a checkpoint; None for a model file, which has no gradients. prepare: crops as
    `edge.imaging.normalise` gives them to what `log_probs` takes.
    """

    name: str
    labels: tuple[str, ...]
    log_probs: Callable[[U8], F32]
    network: "Classifier | None" = None
    prepare: Callable[[U8], U8] = lambda crops: crops


@dataclass(frozen=True)
class ClassReport:
    """One label: how many digits have it, and shares in [0, 1], None where there is nothing to divide by.

    precision: of the digits taken for it, those that are. recall: of those that are, the ones taken for it.
    """

    label: str
    count: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence is above `low` and at most `high`. confidence: their mean; right: the share right; both
    None where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    right: float | None


@dataclass(frozen=True)
class Evaluation:
    """What a model answered.

    labels: what the K answers mean; classes: indices of those that the data may hold, in the data's order.
    crops: uint8 [N, S, S] or [N, S, S, C]; truth: int64 [N], indices into `labels`; log_probs: float32 [N, K].
    """

    model: str
    data: str
    labels: tuple[str, ...]
    classes: tuple[int, ...]
    crops: U8
    truth: np.ndarray
    log_probs: F32

    @cached_property
    def answers(self) -> np.ndarray:
        """int64 [N], indices into `labels`."""
        return self.log_probs.argmax(1)

    @cached_property
    def confidences(self) -> F64:
        """float64 [N], the probability in [0, 1] that the model gives its answer."""
        return np.exp(self.log_probs.max(1).astype(np.float64)).clip(0, 1)

    @cached_property
    def right(self) -> np.ndarray:
        """bool [N]; a digit taken for `reject` is wrong."""
        return self.answers == self.truth

    @property
    def accuracy(self) -> float:
        """Share right, in [0, 1]."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the accuracy, as `interval` has them."""
        return interval(int(self.right.sum()), len(self.right))

    @property
    def ordered(self) -> tuple[int, ...]:
        """Indices of the labels as the confusion matrix has them in its columns: those that the data may hold first."""
        return (*self.classes, *(i for i in range(len(self.labels)) if i not in self.classes))

    @cached_property
    def confusion(self) -> np.ndarray:
        """int64 [classes, K], rows the true labels, columns the answers in the order of `ordered`."""
        count = len(self.labels)
        matrix = np.bincount(self.truth * count + self.answers, minlength=count * count).reshape(count, count)
        return matrix[np.ix_(self.classes, self.ordered)]

    def by_class(self) -> tuple[ClassReport, ...]:
        reports = []
        for row, index in enumerate(self.classes):
            right, count = int(self.confusion[row, row]), int(self.confusion[row].sum())
            taken = int(self.confusion[:, row].sum())
            reports.append(
                ClassReport(
                    self.labels[index],
                    count,
                    right / taken if taken else None,
                    right / count if count else None,
                    2 * right / (taken + count) if taken + count else None,
                )
            )
        return tuple(reports)

    def reliability(self, bins: int = BINS) -> tuple[Bin, ...]:
        """Answers by how sure they were, in bins of equal width over [0, 1]."""
        index = np.clip(np.ceil(self.confidences * bins).astype(int) - 1, 0, bins - 1)
        found = []
        for number in range(bins):
            inside = index == number
            count = int(inside.sum())
            means = (float(self.confidences[inside].mean()), float(self.right[inside].mean())) if count else (None,) * 2
            found.append(Bin(number / bins, (number + 1) / bins, count, *means))
        return tuple(found)

    def calibration_error(self, bins: int = BINS) -> float:
        """Expected calibration error, in [0, 1]: how far confidence and share right are apart, bin by bin."""
        apart = sum(
            one.count * abs(one.confidence - one.right)
            for one in self.reliability(bins)
            if one.confidence is not None and one.right is not None
        )
        return apart / len(self.right)

    def mistakes(self, most: int) -> np.ndarray:
        """int64 [at most `most`]: indices of the wrong answers, the surest first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")][:most]

    def table(self) -> str:
        ordered = [self.labels[i] for i in self.ordered]
        lines = ["digit  count  right      most often taken for"]
        for index, row in enumerate(self.confusion):
            wrong = row.copy()
            wrong[index] = 0
            often = ", ".join(f"{ordered[i]} ({wrong[i]})" for i in np.argsort(-wrong, kind="stable")[:3] if wrong[i])
            share = f"{row[index] / row.sum():.2%}" if row.sum() else "-"
            lines.append(f"{ordered[index]:>5}  {row.sum():>5}  {share:>7}    {often or '-'}")
        lines.append(f"{self.model} on {self.data}: {self.right.sum()} of {len(self.right)} right, {self.accuracy:.2%}")
        return "\n".join(lines)


def interval(right: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share, `right` of `count`, in [0, 1] (Wilson 1927); count at least 1."""
    share, z2 = right / count, _Z * _Z
    middle = share + z2 / (2 * count)
    half = _Z * float(np.sqrt(share * (1 - share) / count + z2 / (4 * count * count)))
    low, high = (middle - half) / (1 + z2 / count), (middle + half) / (1 + z2 / count)
    return (0.0 if right == 0 else low), (1.0 if right == count else high)


def model_of(path: Path | None) -> Model:
    """An ONNX file (None: the shipped one), run by ONNX Runtime through `edge`; or a checkpoint (.pt), by PyTorch.

    Raises ConfigError, also for a model of whole rows.
    """
    if path is None or path.suffix != ".pt":
        recogniser = Recogniser(path, EngineConfig("cpu"))
        return Model(str(path or "the shipped model"), recogniser.card.labels, recogniser.log_probs)

    from training import checkpoint
    from training.dataset import sized
    from training.engine import log_probs
    from training.models import Classifier
    from training.recipe import Recipe

    network, recipe, facts = checkpoint.load(path)
    if not isinstance(network, Classifier) or not isinstance(recipe, Recipe):
        raise ConfigError(f"{path}: reads whole rows, and these are single digits; see `make bench-accuracy`")

    def calibrated(crops: U8) -> F32:
        out: F32 = log_probs(network, crops) / np.float32(facts.temperature)
        return out - np.logaddexp.reduce(out, axis=1, keepdims=True)

    return Model(str(path), facts.labels, calibrated, network, lambda crops: sized(crops, recipe))


def evaluate(model: Model, crops: U8, labels: np.ndarray, names: Sequence[str], data: str) -> Evaluation:
    """Ask `model` for every crop.

    crops: uint8 [N, 28, 28], 0 paper to 255 ink; labels: integers [N], indices into `names`, the labels
    that the data may hold. data: what it is called. Raises ConfigError where there is no crop, or a name that the model
    does not know.
    """
    if not len(crops):
        raise ConfigError(f"{data}: holds no digits; name other data")
    unknown = [name for name in names if name not in model.labels]
    if unknown:
        raise ConfigError(
            f"{model.name}: knows no label {unknown[0]!r}, which {data} holds; it knows {', '.join(model.labels)}"
        )
    classes = tuple(model.labels.index(name) for name in names)
    crops = model.prepare(crops)
    out = np.concatenate([model.log_probs(crops[i : i + 512]) for i in range(0, len(crops), 512)])
    return Evaluation(model.name, data, model.labels, classes, crops, np.array(classes)[labels], out)


def evaluate_mnist(model: Path | None, data_dir: Path | None) -> Evaluation:
    """`evaluate` on MNIST's test set; model: as `model_of` takes it."""
    asked = model_of(model)
    digits = mnist.load("test", data_dir)
    return evaluate(asked, digits.images, digits.labels, tuple("0123456789"), "MNIST's test set")
