"""The shipped network: crops in, log-probabilities out, small enough for one core of an edge box."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU: what an inference engine fuses into one operation."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two blocks with a way round them (He et al., "Deep residual learning", 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(ConvBlock(channels, channels), ConvBlock(channels, channels))

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
