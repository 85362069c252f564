"""What networks are built of."""

from torch import Tensor, nn

Size = tuple[int, int]
"""Rows and columns."""


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU: what an inference engine fuses into one operation."""

    def __init__(
        self, inputs: int, outputs: int, stride: int | Size = 1, size: int | Size = 3, padding: Size | None = None
    ) -> None:
        """padding: None keeps the size, but for the stride."""
        high, wide = (size, size) if isinstance(size, int) else size
        around = padding if padding is not None else (high // 2, wide // 2)
        super().__init__(
            nn.Conv2d(inputs, outputs, (high, wide), stride, padding=around, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two blocks with a way round them (He et al., "Deep residual learning", 2016)."""

    def __init__(self, channels: int, size: int | Size = 3) -> None:
        super().__init__()
        self.blocks = nn.Sequential(ConvBlock(channels, channels, 1, size), ConvBlock(channels, channels, 1, size))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


class Hidden(nn.Sequential):
    """A hidden layer on features of any shape: linear, ReLU, dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0) -> None:
        """dropout: share of its units that training switches off."""
        super().__init__(nn.Flatten(), nn.Linear(inputs, outputs), nn.ReLU(inplace=True), nn.Dropout(dropout))
