"""Three convolutions, each normalised and pooled."""

from collections.abc import Callable

from torch import nn

from training.models.blocks import ConvBlock, Hidden
from training.models.classifier import Layered


class DigitCnn(Layered):
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
        inputs = 4 * width * (size // 8) ** 2
        super().__init__(
            classes, size, channels, halved_thrice(channels, width), Hidden(inputs, hidden, dropout), hidden
        )


def halved_thrice(channels: int, width: int, behind: Callable[[int], nn.Module] | None = None) -> nn.Sequential:
    """28x28 to 3x3 in three convolutions. behind: makes what stands behind each, by how many channels it gives."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
        layers += [ConvBlock(inputs, outputs), *([behind(outputs)] if behind else []), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)
