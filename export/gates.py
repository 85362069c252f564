"""What a model file has to pass: each gate says what was found, what is wanted, and whether that is enough."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort

from edge.arrays import F32, U8
from edge.errors import ConfigError
from edge.model_card import Precision
from edge.recogniser import LARGEST_BATCH
from export.kinds import Kind

LARGEST = 1_500_000  # bytes of a model file
FARTHEST = 1e-3  # log-probabilities of a float32 file and the network; sums in another order differ by 1e-5
DROPS: dict[Precision, float] = {"float32": 0.0, "packed": 1e-4, "float16": 1e-4, "int8": 2e-4}
"""By precision, how much smaller the share of samples read rightly may be than the network's."""

OLDEST_RUNTIME = "1.24"
"""Of ONNX Runtime, by pyproject.toml."""
NEWEST_IR, NEWEST_OPSET = 13, 25
"""Which that opens: found by giving onnxruntime 1.24.4 a file of each; it refuses 14 and 26."""

BATCHES = (1, 2, 3, 64, LARGEST_BATCH)
CHANCE = 0.05


class Refused(ConfigError):
    """A model file does not pass a gate, and is not written."""


@dataclass(frozen=True)
class Gate:
    """found and wanted: in words, for people."""

    name: str
    passed: bool
    found: str
    wanted: str


def table(gates: Sequence[Gate]) -> str:
    """The gates, one a line, for a terminal."""
    rows = [("gate", "found", "wanted", ""), *((g.name, g.found, g.wanted, "" if g.passed else "FAILS") for g in gates)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join("  ".join((*map(str.ljust, row[:3], widths), row[3])).rstrip() for row in rows)


def opens_in_oldest(model: onnx.ModelProto) -> Gate:
    """By its numbers, which is what that version looks at first."""
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    foreign = sorted({o.domain for o in model.opset_import} - {"", "ai.onnx"})
    return Gate(
        f"ONNX Runtime {OLDEST_RUNTIME}",
        model.ir_version <= NEWEST_IR and 0 < opset <= NEWEST_OPSET and not foreign,
        f"IR {model.ir_version}, opset {opset}" + "".join(f", {domain}" for domain in foreign),
        f"IR to {NEWEST_IR}, opset to {NEWEST_OPSET}, no other operators",
    )


def passes_checker(model: onnx.ModelProto) -> Gate:
    """onnx.checker, shapes and types inferred too."""
    try:
        onnx.checker.check_model(model, full_check=True)
        found = "nothing wrong"
    except Exception as error:  # its errors and those of shape inference share no public base
        found = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
    return Gate("onnx.checker", found == "nothing wrong", found, "nothing wrong")


def small_enough(size: int) -> Gate:
    return Gate("size", size <= LARGEST, f"{size:,} bytes", f"at most {LARGEST:,}")


def batches_agree(data: bytes, kind: Kind, inputs: Sequence[U8] | U8) -> Gate:
    """Whether a crop gets the same answer in batches of any size, up to the largest that the box asks for."""
    crops = _of_one_shape(inputs, LARGEST_BATCH)
    opened = session(data)
    farthest = 0.0
    alone = [_asked(opened, kind, crops[i : i + 1]) for i in range(min(8, len(crops)))]
    for size in BATCHES:
        out = _asked(opened, kind, crops[:size])
        together = min(size, len(alone))
        farthest = max(farthest, *(float(np.abs(out[i : i + 1] - alone[i]).max()) for i in range(together)))
    return Gate(
        f"batches of 1 to {LARGEST_BATCH}", farthest <= FARTHEST, f"differ by {farthest:.1e}", f"at most {FARTHEST:g}"
    )


def answers_repeat(data: bytes, kind: Kind, inputs: Sequence[U8] | U8) -> Gate:
    """Whether the same batch gives the same bytes again, in one session and in another."""
    crops = _of_one_shape(inputs, 64)
    opened = session(data)
    said = {_asked(one, kind, crops).tobytes() for one in (opened, opened, session(data))}
    return Gate("two runs", len(said) == 1, "the same bytes" if len(said) == 1 else "other bytes", "the same bytes")


def export_repeats(one: bytes, other: bytes) -> Gate:
    return Gate("two exports", one == other, "the same bytes" if one == other else "other bytes", "the same bytes")


def agrees(farthest: float, precision: Precision, test: str) -> Gate:
    """farthest: the largest difference of a log-probability. Of other precisions than float32 it is only said."""
    bound = precision == "float32"
    return Gate(
        f"log-probabilities, {test}",
        not math.isnan(farthest) and (farthest <= FARTHEST or not bound),
        f"differ by {farthest:.2g}",
        f"at most {FARTHEST:g}" if bound else "any",
    )


def reads_as_well(ours: np.ndarray, theirs: np.ndarray, precision: Precision, test: str) -> Gate:
    """Whether the share right, of the file, is at most DROPS below that of what it is made from.

    ours, theirs: bool [N], which samples each reads rightly. Of a set so small that one sample is more than is allowed,
    a loss that may be chance passes too, as it cannot tell: of the samples that only one reads rightly, as many being
    the other's happens with a probability of CHANCE or more by tossing coins (McNemar's exact test, one-sided).
    """
    drop = DROPS[precision]
    lost, won = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    found = (lost - won) / len(ours)
    too_few = 0 < drop < 1 / len(ours)
    passed = found <= drop or (too_few and _chance(lost, won) >= CHANCE)
    return Gate(
        f"right, {test}",
        passed,
        f"{theirs.mean():.2%} of {len(ours):,}, was {ours.mean():.2%}: {lost} lost, {won} won",
        f"at most {drop * 100:g} points less" + (" beyond chance" if too_few else ""),
    )


def _chance(lost: int, won: int) -> float:
    """Of so many heads or more in lost + won tosses of a coin."""
    tosses = lost + won
    return sum(math.comb(tosses, k) for k in range(lost, tosses + 1)) / 2**tosses


def session(data: bytes) -> ort.InferenceSession:
    """On one core, and silent."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _asked(asked: ort.InferenceSession, kind: Kind, batch: U8) -> F32:
    out: F32 = asked.run(["log_probs"], {kind.input: batch})[0]
    return out


def _of_one_shape(inputs: Sequence[U8] | U8, count: int) -> U8:
    """`count` of the inputs in one batch: those of the first one's shape, again and again where they are fewer."""
    alike = np.stack([ink for ink in inputs[:count] if ink.shape == inputs[0].shape])
    return np.resize(alike, (count, *alike.shape[1:]))
