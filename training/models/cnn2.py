"""The network that most tutorials begin with."""

from torch import nn

from training.models.blocks import Hidden
from training.models.classifier import Layered


class Cnn2(Layered):
    """Two convolutions of 3x3, each pooled, a hidden layer, dropout: the "simple MNIST convnet" of Keras' examples with
    a hidden layer as in PyTorch's. Pooled after each convolution, it costs a quarter of what it does pooled once.
    """

    def __init__(
        self,
        classes: int,
        size: int = 28,
        channels: int = 1,
        *,
        width: int = 32,
        hidden: int = 128,
        dropout: float = 0.5,
    ) -> None:
        """width: channels of the first convolution; the second has twice as many."""
        features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  # 14x14 of 28x28
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  # 7x7
        )
        inputs = 2 * width * (size // 4) ** 2
        super().__init__(classes, size, channels, features, Hidden(inputs, hidden, dropout), hidden)
