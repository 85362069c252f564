"""A model file's network, to be trained further: what `digitd export` wrote needs no checkpoint."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.model_card import ModelCard
from edge.recogniser import Recogniser
from edge.sequence import RowModel
from training.models import DigitNet
from training.models.blocks import ConvBlock
from training.models.rows import DEEPER, RowNet

PACKED = ".half"
"""What `export.quantisation.packed` adds to the names of the weights that it keeps in float16."""


def digit_net(path: Path) -> tuple[DigitNet, ModelCard]:
    """The shipped family's network of single digits, and the file's card. Raises ModelError, ConfigError."""
    card = Recogniser(path, EngineConfig("cpu")).card
    weights = _weights(path)
    try:
        network = DigitNet(len(card.labels), width=weights["features.1.0.weight"].shape[0])
        _fill(network, weights)
    except (KeyError, RuntimeError):
        raise _of_another_kind(path) from None
    return network.eval(), card


def row_net(path: Path) -> RowNet:
    """The network of whole rows; to train it on, `normalise` it first. Raises ModelError, ConfigError."""
    labels, weights = RowModel(path, EngineConfig("cpu")).labels, _weights(path)
    try:
        deeper = len({name.split(".")[1] for name in weights if name.startswith(DEEPER)})
        network = RowNet(len(labels), width=weights["features.1.0.weight"].shape[0], deeper=deeper)
        _fill(network, weights)
    except (KeyError, RuntimeError):
        raise _of_another_kind(path) from None
    return network.eval()


def _weights(path: Path) -> dict[str, Tensor]:
    """By their names, packed ones' too, in float32."""
    values = onnx.load(path).graph.initializer
    arrays = {value.name.removesuffix(PACKED): numpy_helper.to_array(value) for value in values}
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}


def _of_another_kind(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: not the shipped family's network in float32, or of a size it does not have; "
        "take such a file, or the checkpoint (.pt) it was exported from"
    )


@torch.no_grad()
def _fill(network: DigitNet | RowNet, weights: dict[str, Tensor]) -> None:
    """The exporter folds batch normalisation into the convolutions; here each gets one back that adds what was folded
    and scales by nothing, so that the network says what the file says.
    """
    for name, block in network.named_modules():
        if isinstance(block, ConvBlock):
            _unfold(block, weights[f"{name}.0.weight"], weights[f"{name}.0.weight_bias"])
    network.head.weight.copy_(weights["head.weight"])
    network.head.bias.copy_(weights["head.bias"])


def _unfold(block: ConvBlock, weight: Tensor, bias: Tensor) -> None:
    convolution, norm = block[0], block[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    convolution.weight.copy_(weight)
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(bias)


@torch.no_grad()
def normalise(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Make a network that was a file's ready to be trained: in training, batch normalisation measures each batch anew,
    so each is set to what it measures over `batches`, and scales that back, so that the network says what it said.

    batches: uint8 [N, 32, W] each, as it will be trained on. The network is left in evaluation.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        values = inputs[0].double().transpose(0, 1).flatten(1)
        sums[norm] += torch.stack([torch.full((len(values),), values.shape[1]), values.sum(1), (values**2).sum(1)])

    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    for norm, (count, total, squares) in sums.items():
        assert norm.running_mean is not None and norm.running_var is not None
        mean = (total / count).float()
        spread = (squares / count - (total / count) ** 2).clamp_min(1e-8).float()
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias += scale * (mean - norm.running_mean)
        norm.weight.copy_(scale * (spread + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(spread)
