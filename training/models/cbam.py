"""Attention over channels and places."""

import torch
from torch import Tensor, nn

from edge.errors import ConfigError
from training.models.blocks import Hidden
from training.models.classifier import Layered
from training.models.digitcnn import halved_thrice


class CbamNet(Layered):
    """`DigitCnn` with attention after each convolution: Woo, Park, Lee and Kweon, "CBAM: convolutional block attention
    module", 2018.
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
        reduction: int = 16,
        window: int = 7,
    ) -> None:
        """width: channels of the first convolution; each other has twice as many as the one before. reduction: how many
        times fewer units than channels the attention over channels has within. window: pixels a side, odd, that the
        attention over places sees. The defaults of these two are the paper's.
        """
        if window % 2 == 0:
            raise ConfigError(f"network.window: {window} has no middle; take an odd number, such as 7")
        features = halved_thrice(channels, width, lambda outputs: Attention(outputs, reduction, window))
        inputs = 4 * width * (size // 8) ** 2
        super().__init__(classes, size, channels, features, Hidden(inputs, hidden, dropout), hidden)


class Attention(nn.Module):
    """float32 [N, C, H, W] -> the same shape: each channel weighed, then each place, by weights in [0, 1]."""

    def __init__(self, channels: int, reduction: int = 16, window: int = 7) -> None:
        super().__init__()
        within = max(1, channels // reduction)
        self.channels = nn.Sequential(nn.Linear(channels, within), nn.ReLU(inplace=True), nn.Linear(within, channels))
        self.places = nn.Sequential(
            nn.Conv2d(2, 1, window, padding=window // 2, bias=False),
            nn.BatchNorm2d(1),
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.channels(x.mean((2, 3))) + self.channels(x.amax((2, 3))))
        x = x * weights[:, :, None, None]
        seen = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.places(seen))
