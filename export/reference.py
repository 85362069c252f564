"""What a model file is compared with, and how it stands beside that, gate by gate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from edge.arrays import F32, U8
from edge.model_card import Precision
from export import gates
from export.gates import Gate
from export.kinds import Kind, Samples

Answers = Callable[[Sequence[U8] | U8], Sequence[F32]]
"""Inputs -> each one's log-probabilities."""


class Reference:
    """A network or another file, asked once. said: by test, its answers; right: bool [N], which of them are right."""

    def __init__(
        self, answers: Answers, tests: Mapping[str, Samples], kind: Kind, labels: Sequence[str], name: str
    ) -> None:
        """tests: by name, inputs and what is right of each. name: what the reference is called in errors."""
        if not tests or not all(len(inputs) for inputs, _ in tests.values()):
            raise ValueError("a model file is measured on at least one test, and each holds samples")
        self.tests, self.kind, self.labels, self.name = tests, kind, labels, name
        self.said = {test: answers(inputs) for test, (inputs, _) in tests.items()}
        self.right = {test: kind.right(self.said[test], truth, labels) for test, (_, truth) in tests.items()}

    @property
    def accuracies(self) -> dict[str, float]:
        return {test: float(right.mean()) for test, right in self.right.items()}


@dataclass(frozen=True)
class Measured:
    """accuracies: the file's share right by test; farthest: the largest difference of a log-probability in any."""

    gates: tuple[Gate, ...]
    accuracies: dict[str, float]
    farthest: float


def measured(path: Path, reference: Reference, precision: Precision) -> Measured:
    """Ask a model file all that the reference was asked, and what a file has to do by itself."""
    data, kind = path.read_bytes(), reference.kind
    alone = by_itself(data, kind, [ink for inputs, _ in reference.tests.values() for ink in inputs])
    if not all(gate.passed for gate in alone):
        return Measured(tuple(alone), {}, float("nan"))  # perhaps it does not even open
    found, accuracies, farthest = list(alone), {}, 0.0
    for test, (inputs, truth) in reference.tests.items():
        said = kind.by_file(path, inputs)
        right = kind.right(said, truth, reference.labels)
        accuracies[test] = float(right.mean())
        apart = max(float(np.abs(a - b).max()) for a, b in zip(reference.said[test], said, strict=True))
        farthest = max(farthest, apart)
        found.append(gates.agrees(apart, precision, test))
        found.append(gates.reads_as_well(reference.right[test], right, precision, test))
    return Measured(tuple(found), accuracies, farthest)


def by_itself(data: bytes, kind: Kind, inputs: Sequence[U8] | U8) -> list[Gate]:
    """The gates that want no reference. Those that run the file are asked where the others have passed."""
    model = onnx.load_from_string(data)
    found = [gates.opens_in_oldest(model), gates.passes_checker(model), gates.small_enough(len(data))]
    if all(gate.passed for gate in found):
        found += [gates.batches_agree(data, kind, inputs), gates.answers_repeat(data, kind, inputs)]
    return found
