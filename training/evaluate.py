"""How right a model is on MNIST's test set, class by class, run as the box runs it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.recogniser import Recogniser
from training import mnist


@dataclass(frozen=True)
class Report:
    """confusion: int64 [10, K], rows the true digits, columns the model's labels."""

    model: str
    labels: tuple[str, ...]
    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share right, in [0, 1]; a digit taken for `reject` is wrong."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def table(self) -> str:
        total, right = int(self.confusion.sum()), int(np.trace(self.confusion))
        lines = ["digit  count  right      most often taken for"]
        for digit, row in enumerate(self.confusion):
            wrong = row.copy()
            wrong[digit] = 0
            often = ", ".join(f"{self.labels[i]} ({wrong[i]})" for i in np.argsort(-wrong)[:3] if wrong[i])
            lines.append(f"{self.labels[digit]:>5}  {row.sum():>5}  {row[digit] / row.sum():7.2%}    {often or '-'}")
        lines.append(f"{self.model} on MNIST's test set: {right} of {total} right, {self.accuracy:.2%}")
        return "\n".join(lines)


def evaluate_mnist(model: Path | None, data_dir: Path | None) -> Report:
    """model: an ONNX file (None: the shipped one), run by ONNX Runtime through `edge`; or a checkpoint, by PyTorch."""
    digits = mnist.load("test", data_dir)
    if model is not None and model.suffix == ".pt":
        from training import checkpoint
        from training.dataset import LABELS
        from training.engine import log_probs

        network, recipe, _ = checkpoint.load(model)
        if recipe.reads != "digits":
            raise ConfigError(f"{model}: reads whole rows, and MNIST holds single digits; see `make bench-accuracy`")
        labels, out = LABELS, log_probs(network, digits.images)
        name = str(model)
    else:
        recogniser = Recogniser(model, EngineConfig("cpu"))
        labels = recogniser.card.labels
        out = np.concatenate([recogniser.log_probs(part) for part in np.array_split(digits.images, 20)])
        name = str(model or "the shipped model")
    confusion = np.zeros((10, len(labels)), np.int64)
    truth = [labels.index(str(digit)) for digit in range(10)]
    for digit in range(10):
        confusion[digit] = np.bincount(out[digits.labels == digit].argmax(1), minlength=len(labels))[
            truth + [i for i in range(len(labels)) if i not in truth]
        ]
    ordered = tuple(labels[i] for i in truth) + tuple(label for i, label in enumerate(labels) if i not in truth)
    return Report(name, ordered, confusion)
