"""Residual blocks that widen, with pooling between."""

from torch import Tensor, nn
from torch.nn import functional

from training.models.blocks import ConvBlock, Hidden
from training.models.classifier import Layered


class Dbrhb(Layered):
    """The network of DBRHB: "dynamic batch, residual blocks, hybrid loss". The residual blocks are here; the batch that
    grows is the recipe's, the loss is `training.losses.hybrid`.

    Blocks of 32, 64 and 128 channels and a hidden layer of 256. Before them stands a convolution that is pooled at
    once, as in ResNet (He et al., "Deep residual learning", 2016): on all of 28x28, blocks cost three times as much.
    """

    def __init__(
        self,
        classes: int,
        size: int = 28,
        channels: int = 1,
        *,
        width: int = 32,
        hidden: int = 256,
        dropout: float = 0.5,
    ) -> None:
        """width: channels of the first block; each other has twice as many as the one before."""
        features = nn.Sequential(
            ConvBlock(channels, width),
            nn.MaxPool2d(2),  # 14x14 of 28x28
            Widening(width, width),
            nn.MaxPool2d(2),  # 7x7
            Widening(width, 2 * width),
            nn.MaxPool2d(2),  # 3x3
            Widening(2 * width, 4 * width),
        )
        inputs = 4 * width * (size // 8) ** 2
        super().__init__(classes, size, channels, features, Hidden(inputs, hidden, dropout), hidden)


class Widening(nn.Module):
    """He's basic block: two convolutions of 3x3, and a way round them, by a convolution of 1x1 where the number of
    channels changes (his option B).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            ConvBlock(inputs, outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.round = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.round(x) + self.blocks(x))
