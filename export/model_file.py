"""A network in memory -> model files of several precisions, each gated, or an error and no file.

This is what a checkpoint's export and fine-tuning call; nothing here wants MNIST.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from edge.arrays import U8
from edge.model_card import ModelCard, Precision
from export import gates
from export.card import markdown
from export.gates import Gate, Refused
from export.kinds import Digits, Kind, Samples, kind_of
from export.program import card_of, onnx_program, still, with_card
from export.quantisation import ROW_WAYS, WAYS, Try, best, halved, packed, quantised
from export.reference import Reference, measured
from export.writing import put

SUFFIX: dict[Precision, str] = {"float32": "", "packed": ".packed", "float16": ".fp16", "int8": ".int8"}

_PUT_ASIDE = 4
"""Of so many batches to calibrate on one is put aside, to choose by how ranges are found."""


@dataclass(frozen=True)
class Exported:
    """farthest: the largest difference of a log-probability from the network's, over all tests.
    accuracies, before: by test, the shares right of the file and of the network.
    gates: all passed. tries: for int8, how ranges were tried to be found, nearest first.
    """

    path: Path
    precision: Precision
    bytes: int
    farthest: float
    accuracies: dict[str, float]
    before: dict[str, float]
    gates: tuple[Gate, ...]
    tries: tuple[Try, ...] = ()


def export_network(
    network: torch.nn.Module,
    card: ModelCard,
    out: Path,
    tests: Mapping[str, Samples],
    calibration: Sequence[U8] | U8 = (),
    precisions: Sequence[Precision] = ("float32",),
    source: str = "the network",
) -> tuple[Exported, ...]:
    """Write `out` as float32, beside it NAME.packed.onnx, NAME.fp16.onnx and NAME.int8.onnx where asked for, and each
    one's card as .md.

    card: `precision`, `parameters` and the shares right of `tests` are put in here.
    tests: by name, what each file and the network must read alike: (inputs, what is right), as `kinds.Samples` says.
    calibration: for int8, inputs like those the network was trained on, none of them in `tests`; some 1000, shuffled.
    source: what the network is called in errors.

    Every file is run by ONNX Runtime through `edge`, as the box will. The first that fails a gate raises Refused, a
    ConfigError that names the gate; it is not written, and what lay in its place stays. Those before it are written.
    """
    kind, network = kind_of(network), still(network)
    card = replace(card, parameters=sum(p.numel() for p in network.parameters()))
    reference = Reference(lambda inputs: kind.by_network(network, inputs), tests, kind, card.labels, source)
    model, again = onnx_program(network, kind), onnx_program(network, kind)
    return tuple(
        write(converted(model, again, kind, precision, calibration), card, beside(out, precision), reference, precision)
        for precision in sorted(set(precisions), key=list(SUFFIX).index)
    )


@dataclass(frozen=True)
class Made:
    """A model, and the same made once more; of int8, how its ranges were tried to be found, nearest first."""

    model: onnx.ModelProto
    again: onnx.ModelProto
    tries: tuple[Try, ...] = ()


def converted(
    model: onnx.ModelProto, again: onnx.ModelProto, kind: Kind, precision: Precision, calibration: Sequence[U8] | U8
) -> Made:
    """float32 models, exported twice, in another precision. The models given are not changed."""
    if precision == "float32":
        return Made(model, again)
    if precision == "packed":
        return Made(packed(model), packed(again))
    if precision == "float16":
        return Made(halved(model), halved(again))
    batches = kind.batches(calibration)
    if len(batches) < _PUT_ASIDE:
        raise ValueError("int8 is calibrated on some hundred inputs, and fewer were given")
    aside = batches[::_PUT_ASIDE]
    rest = [batch for index, batch in enumerate(batches) if index % _PUT_ASIDE]
    ways = WAYS if isinstance(kind, Digits) else ROW_WAYS
    chosen, tries = best(model, kind.input, rest, _distance_from(model, kind.input, aside), ways)
    return Made(chosen, quantised(again, kind.input, rest, tries[0].way), tries)


def beside(out: Path, precision: Precision) -> Path:
    """digits.onnx -> digits.int8.onnx, and as it is for float32."""
    return out.with_name(f"{out.stem}{SUFFIX[precision]}{out.suffix}")


def write(made: Made, card: ModelCard, out: Path, reference: Reference, precision: Precision) -> Exported:
    """Gate a model and write it, with its card, as `out`. Raises Refused; ConfigError where it cannot be written."""
    card = replace(card, precision=precision)
    part = out.with_name(f"{out.name}.measured")
    try:
        put(part, _bytes(made.model, card))
        found = measured(part, reference, precision)
        passed = (*found.gates, gates.export_repeats(_bytes(made.model, card), _bytes(made.again, card)))
        for gate in passed:
            if not gate.passed:
                raise Refused(
                    f"{out}: not written: {precision} made from {reference.name} fails the gate `{gate.name}`: "
                    f"{gate.found}, wanted {gate.wanted}"
                )
        # The file itself is what was measured, so its shares are put in last.
        card = replace(card, accuracies={**card.accuracies, **found.accuracies})
        _put(made.model, card, out)
    finally:
        part.unlink(missing_ok=True)
    size = out.stat().st_size
    return Exported(out, precision, size, found.farthest, found.accuracies, reference.accuracies, passed, made.tries)


def changed_card(path: Path, **changes: object) -> None:
    """Put other values into the card of a file written by `write`, and renew its page."""
    model = onnx.load(path)
    card = card_of(model)
    assert card is not None
    _put(model, replace(card, **changes), path)


def _put(model: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    data = _bytes(model, card)
    put(path, data)
    put(path.with_suffix(".md"), markdown(card, len(data)).encode())


def _bytes(model: onnx.ModelProto, card: ModelCard) -> bytes:
    return with_card(model, card).SerializeToString(deterministic=True)


def _distance_from(model: onnx.ModelProto, name: str, batches: Sequence[U8]) -> Callable[[onnx.ModelProto], float]:
    """How far another model's answers are from `model`'s: the mean Kullback-Leibler divergence over the batches."""

    def answers(one: onnx.ModelProto) -> list[np.ndarray]:
        session = gates.session(one.SerializeToString())
        return [
            session.run(["log_probs"], {name: batch})[0].reshape(-1, session.get_outputs()[0].shape[-1])
            for batch in batches
        ]

    wanted = answers(model)

    def distance(other: onnx.ModelProto) -> float:
        return float(
            np.concatenate([(np.exp(a) * (a - b)).sum(1) for a, b in zip(wanted, answers(other), strict=True)]).mean()
        )

    return distance
