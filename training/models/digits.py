"""The shipped network of single digits: small enough for one core of an edge box."""

from torch import Tensor, nn

from training.models.blocks import ConvBlock, Residual
from training.models.classifier import Classifier


class DigitNet(Classifier):
    """Five convolutions and a residual block. The first layer strides: most of the multiply-adds of a network on 28x28
    are spent before the first stride.
    """

    def __init__(
        self, classes: int = 11, size: int = 28, channels: int = 1, *, width: int = 32, dropout: float = 0.3
    ) -> None:
        super().__init__(classes, size, channels)
        self.width = width
        self.features = nn.Sequential(
            ConvBlock(channels, 3 * width // 4, stride=2, size=5),  # 14x14 of 28x28
            ConvBlock(3 * width // 4, width),
            ConvBlock(width, 2 * width, stride=2),  # 7x7
            Residual(2 * width),
            ConvBlock(2 * width, 3 * width, stride=2),  # 4x4
        )
        self.dropout = nn.Dropout(dropout)
        side = -(-size // 8)
        self.head = nn.Linear(3 * width * side * side, classes)

    def embed(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.features(x).flatten(1))
        return out
