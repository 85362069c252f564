"""The network that read cheques."""

from torch import nn

from training.models.blocks import Hidden
from training.models.classifier import Layered


class LeNet5(Layered):
    """LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, in the form
    it has today.

    What differs: ReLU for the scaled hyperbolic tangent; maximum pooling for sums with a learnt weight and bias; C3
    sees all of S2's maps, not a chosen few; a linear layer and softmax for the distances to drawn figures. As there, C1
    sees two pixels more on each side of 28x28, and C5 is a convolution that its input just fills: a linear layer.
    """

    def __init__(self, classes: int, size: int = 28, channels: int = 1, *, dropout: float = 0.0) -> None:
        features = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=2),  # C1, 28x28
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  # S2, 14x14
            nn.Conv2d(6, 16, 5),  # C3, 10x10
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  # S4, 5x5
        )
        side = (size // 2 - 4) // 2
        hidden = nn.Sequential(
            Hidden(16 * side * side, 120),  # C5
            Hidden(120, 84, dropout),  # F6
        )
        super().__init__(classes, size, channels, features, hidden, 84)
