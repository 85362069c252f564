"""A small network cut out of a large one of the same family: the filters and units that do most are kept."""

import torch
from torch import Tensor, nn

from training.models.digitcnn import DigitCnn


def prune(large: DigitCnn, small: DigitCnn) -> None:
    """Give `small` those filters and units of `large` that do most, in their order; `fits` says whether it can be.

    Filters are told by their weights' sum of magnitudes (Li, Kadav, Durdanovic, Samet, Graf, "Pruning filters for
    efficient ConvNets", 2017), times what the batch normalisation behind them makes of it; hidden units by those of
    their weights in and out. What is cut out reads little until it is trained on.
    """
    with torch.no_grad():
        _prune(large, small)


def fits(large: nn.Module, small: nn.Module) -> bool:
    """Whether `small` can be cut out of `large`."""
    if type(large) is not DigitCnn or type(small) is not DigitCnn:
        return False
    same = all(getattr(large, name) == getattr(small, name) for name in ("classes", "size", "channels"))
    shapes = zip(large.parameters(), small.parameters(), strict=True)
    return same and all(a >= b for one, other in shapes for a, b in zip(one.shape, other.shape, strict=True))


def _prune(large: DigitCnn, small: DigitCnn) -> None:
    channels = torch.arange(large.channels)
    for of_large, of_small in zip(large.features, small.features, strict=True):
        if isinstance(of_large, nn.MaxPool2d):
            continue
        (conv, norm, _), (small_conv, small_norm, _) = of_large, of_small
        chosen = _kept(conv.weight[:, channels], norm, small_conv.out_channels)
        small_conv.weight.copy_(conv.weight[chosen][:, channels])
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(small_norm, name).copy_(getattr(norm, name)[chosen])
        channels, places = chosen, large.hidden[1].in_features // conv.out_channels
    linear, small_linear = large.hidden[1], small.hidden[1]
    weights = linear.weight[:, (channels[:, None] * places + torch.arange(places)).flatten()]
    doing = weights.abs().sum(1) * large.head.weight.abs().sum(0)
    units = doing.topk(small_linear.out_features).indices.sort().values
    small_linear.weight.copy_(weights[units])
    small_linear.bias.copy_(linear.bias[units])
    small.head.weight.copy_(large.head.weight[:, units])
    small.head.bias.copy_(large.head.bias)


def _kept(weights: Tensor, norm: nn.BatchNorm2d, count: int) -> Tensor:
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).abs()
    return (weights.abs().flatten(1).sum(1) * scale).topk(count).indices.sort().values
