"""float32 -> the same packed, -> float16, for CUDA, and -> int8, whose ranges are calibrated on what the network was
trained on.

int8 is static, by QuantizeLinear and DequantizeLinear (QDQ): activations uint8 by tensor, weights int8 by channel and
of 7 bits. With 8, processors without VNNI add up pairs of products past 16 bits: on one such, 97 more of MNIST's 10,000
test digits were read wrongly. The last layer stays in float32: quantised too, it takes more of what is no digit for a
digit; of rows the first layers do, too. docs/export.md has the figures.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from edge.arrays import U8
from training.from_onnx import PACKED

_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


_IN_FLOAT = ["LogSoftmax", "Transpose"]
"""Of a float16 model: the last softmax, and what a row's goes through behind it."""


@dataclass(frozen=True)
class Way:
    """How ranges are found. percentile: of an activation's values that its range holds; by "percentile" alone. whole:
    how many of the first layers stay in float32, beside the last.
    """

    method: Literal["minmax", "percentile", "entropy"]
    percentile: float = 100.0
    whole: int = 0

    def __str__(self) -> str:
        return f"{self.method} {self.percentile:g}" if self.method == "percentile" else self.method


WAYS = (Way("minmax"), Way("percentile", 99.999), Way("percentile", 99.99), Way("entropy"))
ROW_WAYS = (Way("minmax", whole=3),)
"""Of rows. Their first layers see strokes of all strengths on all papers: in int8 they lose most of what is lost."""


@dataclass(frozen=True)
class Try:
    """distance: of the quantised model's answers from the float one's; what it means is the judge's."""

    way: Way
    distance: float


def packed(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose weights are kept in float16, and made float32 again as the file is opened: half of the size, and
    the same arithmetic. Biases stay as they are.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    casts = []
    for value in copied.graph.initializer:
        if value.data_type != onnx.TensorProto.FLOAT or len(value.dims) < 2:
            continue
        name, half = value.name, numpy_helper.to_array(value).astype(np.float16)
        value.CopyFrom(numpy_helper.from_array(half, f"{name}{PACKED}"))
        casts.append(helper.make_node("Cast", [value.name], [name], f"{name}_unpacked", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *copied.graph.node]
    del copied.graph.node[:]
    copied.graph.node.extend(nodes)
    return copied


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in float16 but for the last softmax, whose logarithms reach where halves are coarse; the output stays
    float32. Nothing is calibrated.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    out = ONNXModel(convert_float_to_float16(copied, keep_io_types=True, op_block_list=_IN_FLOAT))
    out.topological_sort()  # the converter puts its casts last
    made: onnx.ModelProto = out.model
    _take_out_rounding(made.graph)
    return made


def _take_out_rounding(graph: onnx.GraphProto) -> None:
    """Behind what stays in float32 the converter goes to float16, and back for what follows; that way is taken out."""
    by_output = {node.output[0]: node for node in graph.node}
    outputs = {value.name for value in graph.output}
    for back in [node for node in graph.node if node.op_type == "Cast"]:
        there = by_output.get(back.input[0])
        source = by_output.get(there.input[0]) if there is not None and there.op_type == "Cast" else None
        if there is None or source is None or source.op_type not in _IN_FLOAT:
            continue
        if back.output[0] in outputs:
            source.output[0] = back.output[0]
        else:
            for node in graph.node:
                node.input[:] = [source.output[0] if name == back.output[0] else name for name in node.input]
        graph.node.remove(back)
        graph.node.remove(there)


def quantised(model: onnx.ModelProto, input_name: str, batches: Sequence[U8], way: Way) -> onnx.ModelProto:
    """A copy in int8. batches: what to calibrate on, uint8 [N, ...] each, as the graph takes them."""
    layers = [node.name for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    with tempfile.TemporaryDirectory(prefix="digitd-quantised-") as folder, _quiet():
        out = Path(folder) / "int8.onnx"
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        quantize_static(
            copied,
            out,
            _Reader(input_name, batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*layers[: way.whole], *layers[-1:]],
            calibrate_method=_METHODS[way.method],
            extra_options={"CalibPercentile": way.percentile} if way.method == "percentile" else {},
        )
        made = onnx.load(out)
    del made.metadata_props[:]
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    return made


def best(
    model: onnx.ModelProto,
    input_name: str,
    batches: Sequence[U8],
    judge: Callable[[onnx.ModelProto], float],
    ways: Sequence[Way] = WAYS,
) -> tuple[onnx.ModelProto, tuple[Try, ...]]:
    """The way whose model `judge` finds nearest, and all that were tried, nearest first."""
    made = [(way, quantised(model, input_name, batches, way)) for way in ways]
    tried = sorted(((judge(one), index) for index, (_, one) in enumerate(made)))
    return made[tried[0][1]][1], tuple(Try(made[index][0], distance) for distance, index in tried)


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, batches: Sequence[U8]) -> None:
        self._batches: Iterator[dict[str, U8]] = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, U8] | None:
        return next(self._batches, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser prints what it does, and asks for a step that the exporter has done already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
