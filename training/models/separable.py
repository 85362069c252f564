"""Convolutions in two steps: first in space, then over channels."""

from torch import Tensor, nn

from training.models.blocks import ConvBlock
from training.models.classifier import Classifier


class Separable(Classifier):
    """Depthwise-separable convolutions: Howard et al., "MobileNets", 2017, with its first six layers, strides for 28x28
    in place of 224x224, and as there the mean over all places at the end.
    """

    def __init__(
        self, classes: int, size: int = 28, channels: int = 1, *, width: int = 32, dropout: float = 0.0
    ) -> None:
        """width: channels of the first layer, 32 in the paper; the others follow it."""
        super().__init__(classes, size, channels)
        self.features = nn.Sequential(
            ConvBlock(channels, width, stride=2),  # 14x14 of 28x28
            SeparableBlock(width, 2 * width),
            SeparableBlock(2 * width, 4 * width, stride=2),  # 7x7
            SeparableBlock(4 * width, 4 * width),
            SeparableBlock(4 * width, 8 * width, stride=2),  # 4x4
            SeparableBlock(8 * width, 8 * width),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, classes)

    def embed(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.features(x).mean((2, 3)))
        return out


class SeparableBlock(nn.Sequential):
    """A convolution of 3x3 of each channel alone, then one of 1x1, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            ConvBlock(inputs, outputs, size=1),
        )
