"""The shipped network of whole rows."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.blocks import ConvBlock, Residual

_SHAPES = 5  # layers before the deeper ones that see shapes
DEEPER = ("shapes.", "context.")
"""What the names of the deeper blocks' weights begin with."""

_FAINT = 0.05  # of what a deeper block adds, at first; by nothing at all it would never learn


class RowNet(nn.Module):
    """uint8 [N, 32, W], 0 paper to 255 ink, W a multiple of 4 -> float32 [N, W / 4, classes], log-probabilities of each
    step, for CTC.

    Convolutions alone: a step sees 79 pixels, and 32 more for each of `deeper`, which tells where one digit ends and
    the next begins, and no language is to be learnt from digits.
    """

    def __init__(self, classes: int = 11, width: int = 32, steps: int = 104, deeper: int = 0) -> None:
        """deeper: residual blocks, of shapes and of context each, more than the first one shipped had. Untrained, they
        change nearly nothing, so that a network may grow by them: Chen, Goodfellow and Shlens, "Net2Net", 2016.
        """
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
        self.shapes = nn.Sequential(*(Residual(2 * width) for _ in range(deeper)))
        self.context = nn.Sequential(*(Residual(steps, (1, 3)) for _ in range(deeper)))
        self.head = nn.Conv1d(steps, classes, 1)
        for block in (*self.shapes, *self.context):
            for name, values in block.blocks[1][1].named_parameters():
                nn.init.constant_(values, _FAINT if name == "weight" else 0)

    def forward(self, strips: Tensor) -> Tensor:
        x = strips.to(torch.float32).unsqueeze(1) / 255
        x = self.features[_SHAPES:](self.shapes(self.features[:_SHAPES](x)))
        x = self.head(self.context(x).squeeze(2))
        return functional.log_softmax(x, dim=1).transpose(1, 2)
