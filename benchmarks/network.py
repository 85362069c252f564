"""How much arithmetic a network is, and how quick this machine is at arithmetic of that kind."""

from collections.abc import Callable
from math import prod
from pathlib import Path

import onnx
import torch

from edge.recogniser import default_model

_SIDE = 1024  # of the matrices; larger ones were no quicker


def multiply_adds(model: Path | None = None) -> int:
    """Of one crop, in convolutions and matrix products; all else of the network is little."""
    loaded = onnx.load(model or default_model())
    loaded.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(loaded, data_prop=True).graph
    weights = {one.name: tuple(one.dims) for one in graph.initializer}
    shapes = {
        one.name: tuple(dim.dim_value or 1 for dim in one.type.tensor_type.shape.dim)
        for one in [*graph.value_info, *graph.output]
    }
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += prod(shapes[node.output[0]]) * prod(weights[node.input[1]][1:])
        elif node.op_type in ("Gemm", "MatMul") and node.input[1] in weights:
            total += prod(shapes[node.output[0]]) * prod(weights[node.input[1]]) // shapes[node.output[0]][-1]
    return total


def matrix_product() -> tuple[Callable[[], object], int]:
    """A float32 matrix product on one core by PyTorch's BLAS, and its multiply-adds."""
    torch.set_num_threads(1)
    a, b = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    out = torch.empty(_SIDE, _SIDE)
    return lambda: torch.mm(a, b, out=out), _SIDE**3
