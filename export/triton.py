"""A model repository of NVIDIA's Triton inference server, for those who outgrow one box.

Its layout and config.pbtxt: https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide, "Model repository"
and "Model configuration".
"""

from pathlib import Path

import onnx

from edge.errors import ConfigError
from edge.model_store import kind_of
from edge.recogniser import LARGEST_BATCH
from export.program import card_of
from export.writing import put

_TYPES = {onnx.TensorProto.UINT8: "TYPE_UINT8", onnx.TensorProto.FLOAT: "TYPE_FP32"}

WAIT_US = 500
"""For how long a request may wait for others to share a batch with."""
_PREFERRED = (64, 256, 1024)


def write_repository(model: Path, folder: Path) -> Path:
    """Write `folder`/digits/1/model.onnx, or rows', a config.pbtxt beside 1/ and labels.txt; return `folder`/digits.

    The server batches requests. What it returns is the graph's: divide log-probabilities by the card's temperature, and
    normalise them again, to have them calibrated. Rows of one batch have to be equally wide.
    """
    program = onnx.load(model)
    card = card_of(program)
    if card is None:
        raise ConfigError(f"{model}: carries no digitd metadata; take a file written by `digitd export`")
    name = kind_of(card)
    home = folder / name
    put(home / "1" / "model.onnx", model.read_bytes())
    put(home / "labels.txt", "".join(f"{label}\n" for label in card.labels).encode())
    put(home / "config.pbtxt", _config(name, program).encode())
    return home


def _config(name: str, program: onnx.ModelProto) -> str:
    (taken,), (given,) = program.graph.input, program.graph.output
    batch = ", ".join(map(str, _PREFERRED))
    return f"""name: "{name}"
backend: "onnxruntime"
max_batch_size: {LARGEST_BATCH}
input [ {_tensor(taken)} ]
output [ {_tensor(given, 'label_filename: "labels.txt"' if name == "digits" else "")} ]
dynamic_batching {{
  preferred_batch_size: [ {batch} ]
  max_queue_delay_microseconds: {WAIT_US}
}}
model_warmup [ {{
  name: "one"
  batch_size: 1
  inputs {{ key: "{taken.name}" value: {{ data_type: {_TYPES[taken.type.tensor_type.elem_type]} \
dims: [ {", ".join(str(size if size > 0 else 96) for size in _sizes(taken))} ] zero_data: true }} }}
}} ]
"""


def _tensor(value: onnx.ValueInfoProto, more: str = "") -> str:
    sizes = ", ".join(map(str, _sizes(value)))
    kind = _TYPES[value.type.tensor_type.elem_type]
    return f'{{ name: "{value.name}" data_type: {kind} dims: [ {sizes} ]{" " + more if more else ""} }}'


def _sizes(value: onnx.ValueInfoProto) -> list[int]:
    """Behind N; -1 where any size will do."""
    return [axis.dim_value or -1 for axis in value.type.tensor_type.shape.dim][1:]
