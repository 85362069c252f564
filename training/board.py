"""A run as TensorBoard shows it."""

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from training.engine import Epoch


class Board:
    """Writes out/tensorboard, for `tensorboard --logdir runs`; nothing where `out` is None."""

    def __init__(self, out: Path | None) -> None:
        self._writer = None
        if out is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError:
            raise ConfigError("--tensorboard needs tensorboard: pip install tensorboard") from None
        self._writer = SummaryWriter(out / "tensorboard")

    def epoch(self, epoch: "Epoch", rate: float) -> None:
        """rate: the learning rate at its end."""
        if self._writer is None:
            return
        losses = {"training": epoch.training_loss, "validation": epoch.validation_loss}
        self._writer.add_scalars("loss", losses, epoch.epoch)
        self._writer.add_scalar("learning rate", rate, epoch.epoch)
        for kind, share in epoch.validation_accuracy.items():
            self._writer.add_scalar(f"accuracy/{kind}", share, epoch.epoch)
        self._writer.flush()

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()
