"""What all networks of single digits have in common: crops in, an embedding, a linear head, log-probabilities out."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import ConfigError


class Classifier(nn.Module, ABC):
    """uint8 [N, S, S] or, of several channels, [N, S, S, C], 0 paper to 255 ink -> float32 [N, K], log-probabilities.

    Scaling is inside, so that whoever runs the exported file cannot get it wrong. A family sets `head`, the last
    linear layer, and says by `embed` what that sees.
    """

    head: nn.Linear

    def __init__(self, classes: int, size: int = 28, channels: int = 1) -> None:
        """classes: K, 2 or more. size: S, pixels a side, 16 to 64. channels: C, 1 or 3. Raises ConfigError."""
        super().__init__()
        if classes < 2:
            raise ConfigError(f"a network tells 2 classes or more apart, not {classes}; give it more labels")
        if not 16 <= size <= 64:
            raise ConfigError(f"network.size: {size} pixels; networks take crops of 16 to 64 a side")
        if channels not in (1, 3):
            raise ConfigError(f"network.channels: {channels}; networks take crops of 1 channel or 3")
        self.classes, self.size, self.channels = classes, size, channels

    def paper(self, count: int) -> Tensor:
        """uint8 [count, S, S] or [count, S, S, C] without ink: what the network takes, to try or export it by."""
        shape = (count, self.size, self.size)
        return torch.zeros(shape if self.channels == 1 else (*shape, self.channels), dtype=torch.uint8)

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """float32 [N, C, S, S] in [0, 1] -> float32 [N, D], what the head sees."""

    def forward(self, crops: Tensor) -> Tensor:
        return functional.log_softmax(self.scores(self.scaled(crops)), dim=1)

    def scores(self, x: Tensor) -> Tensor:
        """float32 [N, C, S, S] in [0, 1] -> float32 [N, K], before the softmax."""
        scores: Tensor = self.head(self.embed(x))
        return scores

    def scaled(self, crops: Tensor) -> Tensor:
        """uint8 [N, S, S] or [N, S, S, C] -> float32 [N, C, S, S] in [0, 1]."""
        x = crops.to(torch.float32)
        return (x.unsqueeze(1) if self.channels == 1 else x.permute(0, 3, 1, 2)) / 255


class Layered(Classifier):
    """Features of the picture, hidden layers on them, the head: what most families are."""

    def __init__(
        self, classes: int, size: int, channels: int, features: nn.Module, hidden: nn.Module, units: int
    ) -> None:
        """units: D, what the last hidden layer gives."""
        super().__init__(classes, size, channels)
        self.features, self.hidden = features, hidden
        self.head = nn.Linear(units, classes)

    def embed(self, x: Tensor) -> Tensor:
        out: Tensor = self.hidden(self.features(x))
        return out
