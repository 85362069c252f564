"""The shipped networks: crops or strips in, log-probabilities out, small enough for one core of an edge box."""

import torch
from torch import Tensor, nn
from torch.nn import functional

Size = tuple[int, int]
"""Rows and columns."""


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU: what an inference engine fuses into one operation."""

    def __init__(
        self, inputs: int, outputs: int, stride: int | Size = 1, size: int | Size = 3, padding: Size | None = None
    ) -> None:
        """padding: None keeps the size, but for the stride."""
        high, wide = (size, size) if isinstance(size, int) else size
        around = padding if padding is not None else (high // 2, wide // 2)
        super().__init__(
            nn.Conv2d(inputs, outputs, (high, wide), stride, padding=around, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two blocks with a way round them (He et al., "Deep residual learning", 2016)."""

    def __init__(self, channels: int, size: int | Size = 3) -> None:
        super().__init__()
        self.blocks = nn.Sequential(ConvBlock(channels, channels, 1, size), ConvBlock(channels, channels, 1, size))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


class DigitNet(nn.Module):
    """uint8 [N, 28, 28], 0 paper to 255 ink -> float32 [N, classes], log-probabilities.

    Scaling is inside, so that whoever runs the exported file cannot get it wrong. The first layer strides: most of
    the multiply-adds of a network on 28x28 are spent before the first stride.
    """

    def __init__(self, classes: int = 11, width: int = 32, dropout: float = 0.3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvBlock(1, 3 * width // 4, stride=2, size=5),  # 14x14
            ConvBlock(3 * width // 4, width),
            ConvBlock(width, 2 * width, stride=2),  # 7x7
            Residual(2 * width),
            ConvBlock(2 * width, 3 * width, stride=2),  # 4x4
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(3 * width * 16, classes)

    def forward(self, crops: Tensor) -> Tensor:
        x = crops.to(torch.float32).unsqueeze(1) / 255
        x = self.dropout(self.features(x).flatten(1))
        return functional.log_softmax(self.head(x), dim=1)


class RowNet(nn.Module):
    """uint8 [N, 32, W], 0 paper to 255 ink, W a multiple of 4 -> float32 [N, W / 4, classes], log-probabilities of each
    step, for CTC.

    Convolutions alone: a step sees some 50 pixels, two digits and a half, which tells where one ends and the next
    begins, and no language is to be learnt from digits.
    """

    def __init__(self, classes: int = 11, width: int = 32, steps: int = 104) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvBlock(1, width // 2, stride=2),  # 16 x W/2
            ConvBlock(width // 2, width, stride=(2, 1)),  # 8 x W/2
            ConvBlock(width, width),
            ConvBlock(width, 2 * width, stride=2),  # 4 x W/4
            Residual(2 * width),
            ConvBlock(2 * width, 3 * width, stride=(2, 1)),  # 2 x W/4
            ConvBlock(3 * width, steps, size=(2, 3), padding=(0, 1)),  # 1 x W/4
            Residual(steps, (1, 3)),
            Residual(steps, (1, 3)),
        )
        self.head = nn.Conv1d(steps, classes, 1)

    def forward(self, strips: Tensor) -> Tensor:
        x = strips.to(torch.float32).unsqueeze(1) / 255
        x = self.head(self.features(x).squeeze(2))
        return functional.log_softmax(x, dim=1).transpose(1, 2)
