"""A network without convolutions: what the others are measured against."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from training.models.classifier import Classifier


class Mlp(Classifier):
    """784-300-100-10, the layers of LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
    recognition", 1998, with ReLU for the sigmoid and batch normalisation before it (Ioffe and Szegedy 2015).
    """

    def __init__(
        self,
        classes: int,
        size: int = 28,
        channels: int = 1,
        *,
        hidden: Sequence[int] = (300, 100),
        dropout: float = 0.0,
    ) -> None:
        """hidden: units of each hidden layer, one layer at least."""
        super().__init__(classes, size, channels)
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((channels * size * size, *hidden)):
            layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Dropout(dropout))
        self.head = nn.Linear(hidden[-1], classes)

    def embed(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out
