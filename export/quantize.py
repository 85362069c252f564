"""`digitd quantize`: a model file without its checkpoint -> int8."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from edge.arrays import U8
from edge.engine import read_file
from edge.errors import ConfigError, ModelError
from edge.model_card import ModelCard
from export.kinds import Kind, Rows, Samples, kind_of_card
from export.model_file import Exported, converted, write
from export.program import card_of
from export.reference import Reference
from export.samples import of_digits
from training.dataset import LABELS


def opened(path: Path) -> tuple[onnx.ModelProto, ModelCard, Kind]:
    """A model file of digitd's, without running it. Raises ModelError, in one line, where it is none."""
    try:
        model = onnx.load_from_string(read_file(path))
        card = card_of(model)
    except ModelError as error:
        raise error if str(error).startswith(str(path)) else ModelError(f"{path}: {error}") from None
    except Exception as error:  # protobuf's own errors share no public base
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise ModelError(f"{path}: not an ONNX file ({reason}); take a file written by `digitd export`") from None
    if card is None:
        raise ModelError(f"{path}: carries no digitd metadata; take a file written by `digitd export`")
    return model, card, kind_of_card(card)


def quantize(path: Path, out: Path, data_dir: Path | None) -> Exported:
    """Write `out`, int8, and its card from a float32 model file of single digits.

    Calibrated on MNIST's training digits and what training makes of them, where MNIST lies in `data_dir`, else on the
    stroke model's digits; gated beside the file it is made from. Raises ConfigError, and leaves `out` as it was.
    """
    model, card, kind = opened(path)
    if isinstance(kind, Rows):
        raise ConfigError(
            f"{path}: reads whole rows; quantize takes files of single digits, rows' are made int8 by `digitd export`"
        )
    if card.precision != "float32":
        raise ConfigError(f"{path}: is {card.precision} already; quantize takes the float32 file it was made from")
    sources = of_digits(data_dir)
    tests = labelled(sources.tests, card.labels, path, kind)
    reference = Reference(lambda inputs: kind.by_file(path, inputs), tests, kind, card.labels, str(path))
    made = converted(model, model, kind, "int8", sources.calibration)
    return write(made, card, out, reference, "int8")


def labelled(tests: dict[str, Samples], labels: tuple[str, ...], reference: Path, kind: Kind) -> dict[str, Samples]:
    """Tests of digits, as a model of these labels has them. Where digits are missing among its labels there is no truth
    to be had, and what the reference says is taken for it, so that whatever is read otherwise counts as lost.
    """
    if not set(LABELS[:10]) <= set(labels):
        return {name: (inputs, _said(inputs, reference, kind)) for name, (inputs, _) in tests.items()}
    known = np.array([labels.index(label) if label in labels else -1 for label in LABELS])
    out: dict[str, Samples] = {}
    for name, (inputs, truth) in tests.items():
        there = known[np.asarray(truth, np.int64)]
        if (there >= 0).any():
            out[name] = (np.asarray(inputs)[there >= 0], there[there >= 0])
    return out


def _said(inputs: Sequence[U8] | U8, reference: Path, kind: Kind) -> np.ndarray:
    return np.stack(kind.by_file(reference, inputs)).argmax(1)
