"""A model file's network, to be trained further: what `digitd export` wrote needs no checkpoint."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.model_card import ModelCard
from edge.recogniser import Recogniser
from training.models import DigitNet
from training.models.blocks import ConvBlock


def digit_net(path: Path) -> tuple[DigitNet, ModelCard]:
    """The shipped family's network of single digits, and the file's card. Raises ModelError, ConfigError.

    The exporter folds batch normalisation into the convolutions; here each gets one back that adds what was folded
    and scales by nothing, so that the network says what the file says.
    """
    card = Recogniser(path, EngineConfig("cpu")).card
    weights = {
        value.name: torch.from_numpy(numpy_helper.to_array(value).copy()) for value in onnx.load(path).graph.initializer
    }
    try:
        network = DigitNet(len(card.labels), width=weights["features.1.0.weight"].shape[0])
        with torch.no_grad():
            for name, block in network.named_modules():
                if isinstance(block, ConvBlock):
                    _unfold(block, weights[f"{name}.0.weight"], weights[f"{name}.0.weight_bias"])
            network.head.weight.copy_(weights["head.weight"])
            network.head.bias.copy_(weights["head.bias"])
    except (KeyError, RuntimeError):
        raise ConfigError(
            f"{path}: not the shipped family's network in float32, or of a size it does not have; "
            "take such a file, or the checkpoint (.pt) it was exported from"
        ) from None
    return network.eval(), card


def _unfold(block: ConvBlock, weight: Tensor, bias: Tensor) -> None:
    convolution, norm = block[0], block[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    convolution.weight.copy_(weight)
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(bias)
