"""A network as a program that runs without its Python code: an ONNX graph, or what `torch.export` saves."""

import copy
import io
import logging
import warnings
from pathlib import Path

import onnx
import torch

from edge.errors import ConfigError
from edge.model_card import KEY, ModelCard
from export.kinds import Kind
from export.writing import put

OPSET = 18


def onnx_program(network: torch.nn.Module, kind: Kind) -> onnx.ModelProto:
    """The network by PyTorch's dynamo exporter: uint8 [N, ...] -> log_probs float32 [N, ..., K]. No card yet.

    The same network gives the same bytes. Raises ConfigError where PyTorch cannot export it.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                still(network),
                (kind.example(),),
                input_names=[kind.input],
                output_names=["log_probs"],
                dynamic_shapes=(kind.dynamic(),),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = (str(error.__cause__ or error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ConfigError(f"PyTorch cannot export this {type(network).__name__} ({reason})") from error
    if program is None:
        raise ConfigError("PyTorch's exporter gave no program; take the versions in constraints.txt")
    return _without_notes(program.model_proto)


def save_torch_program(network: torch.nn.Module, kind: Kind, out: Path) -> None:
    """Write what `torch.export.load` reads, whole or not at all: `program.module()(crops)` gives log-probabilities."""
    program = torch.export.export(still(network), (kind.example(),), dynamic_shapes=(kind.dynamic(),))
    saved = io.BytesIO()
    torch.export.save(program, saved)
    put(out, saved.getvalue())


def with_card(model: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    """The model, which is changed, with its card as its only metadata."""
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=card.to_json())
    return model


def card_of(model: onnx.ModelProto) -> ModelCard | None:
    """The card inside; None where there is none. Raises ModelError, without the file's name, at a broken one."""
    texts = [entry.value for entry in model.metadata_props if entry.key == KEY]
    return ModelCard.from_json(texts[0]) if texts else None


def still(network: torch.nn.Module) -> torch.nn.Module:
    """A copy in evaluation mode and in the usual memory layout; the caller may be in the middle of training."""
    return copy.deepcopy(network).cpu().eval().to(memory_format=torch.contiguous_format)


def _without_notes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the exporter's notes on where in the source each node comes from."""
    del model.metadata_props[:]
    model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    return model
