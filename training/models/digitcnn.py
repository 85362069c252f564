"""Three convolutions, each normalised and pooled."""

from torch import Tensor, nn

from training.models.blocks import ConvBlock, Hidden
from training.models.classifier import Classifier


class DigitCnn(Classifier):
    """Convolutions of 3x3 with 32, 64 and 128 channels, each halved by pooling, then 1152-256-10 on 28x28: VGG's manner
    (Simonyan and Zisserman 2015) with batch normalisation, cut down to digits, as many tutorials have it.
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
        """width: channels of the first convolution; each other has twice as many as the one before."""
        super().__init__(classes, size, channels)
        self.features = nn.Sequential(
            ConvBlock(channels, width),
            nn.MaxPool2d(2),  # 14x14 of 28x28
            ConvBlock(width, 2 * width),
            nn.MaxPool2d(2),  # 7x7
            ConvBlock(2 * width, 4 * width),
            nn.MaxPool2d(2),  # 3x3
        )
        self.hidden = Hidden(4 * width * (size // 8) ** 2, hidden, dropout)
        self.head = nn.Linear(hidden, classes)

    def embed(self, x: Tensor) -> Tensor:
        out: Tensor = self.hidden(self.features(x))
        return out
