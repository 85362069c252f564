"""What all networks of single digits have in common: crops in, an embedding, a linear head, log-probabilities out."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional


class Classifier(nn.Module, ABC):
    """uint8 [N, S, S] or, of several channels, [N, S, S, C], 0 paper to 255 ink -> float32 [N, K], log-probabilities.

    Scaling is inside, so that whoever runs the exported file cannot get it wrong. A family sets `head`, the last
    linear layer, and says by `embed` what that sees.
    """

    head: nn.Linear

    def __init__(self, classes: int, size: int = 28, channels: int = 1) -> None:
        """classes: K. size: S, pixels a side. channels: C."""
        super().__init__()
        self.classes, self.size, self.channels = classes, size, channels

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
