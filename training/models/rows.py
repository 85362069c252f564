"""The shipped network of whole rows."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.blocks import ConvBlock, Residual


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
