"""The training procedure, from top to bottom: network, optimiser, loop, measure, checkpoint.

    digitd train --recipe mnist --data-dir DATA

writes into the run's folder, by default runs/<recipe's name>:

    best.pt        the averaged weights that measured best, and the recipe
    last.pt        those of the last epoch finished
    epoch-NNN.pt   those of every epoch that the recipe keeps
    state.pt       all that `--resume` needs to go on as if nothing had happened
    history.jsonl  a line an epoch
    history.png    loss and accuracy over epochs
    metrics.json   what the best epoch reached
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from edge.arrays import U8
from edge.errors import ConfigError, DigitdError
from training import plots
from training.board import Board
from training.checkpoint import Facts, load_state, save, save_state
from training.optimisers import Schedule, optimiser
from training.out_folder import made
from training.recipe import Recipe, RowRecipe
from training.task import Batch, Measured, Task
from training.together import Place, place

_WORTH_A_PLOT = 5.0  # seconds an epoch takes; a plot takes half a one


class TrainingError(DigitdError):
    """A run that cannot go on."""


@dataclass(frozen=True)
class Epoch:
    """One line of the history. Losses are mean negative log-likelihoods; accuracies shares in [0, 1]."""

    epoch: int
    training_loss: float
    validation_loss: float
    validation_accuracy: dict[str, float]  # by kind of sample
    temperature: float
    seconds: float

    @property
    def measured(self) -> Measured:
        return Measured(self.validation_loss, self.validation_accuracy, self.temperature)


@dataclass(frozen=True)
class Run:
    """resume: go on where the run in the folder was interrupted.
    device: auto, cpu or cuda. tensorboard: write its files, too.
    """

    threads: int | None = None
    resume: bool = False
    device: str = "auto"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError for a device that is not there."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("--device cuda: PyTorch finds no CUDA device here; take --device cpu, or auto")


def train(task: Task[Batch], recipe: Recipe | RowRecipe, out: Path, run: Run | None = None) -> Epoch:
    """Train `task.network` by `recipe`, write `out`, and return the best epoch. Raises TrainingError, ConfigError."""
    run = run or Run()
    if run.threads:
        torch.set_num_threads(run.threads)
    made(out)
    with place(run.device) as here, Board(out if run.tensorboard and here.first else None) as board:
        return _Training(task, recipe, out, run, here, board).best_epoch()


class _Training:
    def __init__(
        self, task: Task[Batch], recipe: Recipe | RowRecipe, out: Path, run: Run, here: Place, board: Board
    ) -> None:
        self.task, self.recipe, self.out, self.here, self.board = task, recipe, out, here, board
        asked = recipe.optimiser
        network = task.network.to(here.device, memory_format=torch.channels_last)
        self.begun = deepcopy(network)
        self.network, self.shared = network, here.shared(network)
        self.averaged = AveragedModel(network, avg_fn=follow(asked.average), use_buffers=True)
        self.optimiser = optimiser(network, asked)
        steps = [-(-task.steps(epoch) // asked.accumulate) for epoch in range(1, recipe.epochs + 1)]
        self.schedule = Schedule(self.optimiser, asked, steps)
        self.scaler = torch.amp.GradScaler(here.device.type, enabled=asked.precision == "float16")
        self.history: list[Epoch] = []
        if run.resume:
            self._resume()
        else:
            torch.manual_seed(recipe.seed + here.rank)

    def best_epoch(self) -> Epoch:
        first = len(self.history) + 1
        batches = self.task.batches(first) if first <= self.recipe.epochs else iter(())
        for number in range(first, self.recipe.epochs + 1):
            if self._stopped_early():
                break
            began = time.perf_counter()
            training_loss = self._learn(number, batches)
            found = between(self.averaged.module, self.begun, self.recipe.optimiser.begun)
            measured = self._measured(found)
            epoch = Epoch(
                number,
                training_loss,
                measured.loss,
                measured.accuracies,
                measured.temperature,
                time.perf_counter() - began,
            )
            self.schedule.epoch(measured.loss)
            self.history.append(epoch)
            if self.here.first:
                self._write(epoch, found)
        if self.here.first:
            plots.history(self.history, self.out / "history.png")
        return self._best()

    def _learn(self, number: int, batches: Iterator[Batch]) -> float:
        """One epoch. Returns its mean loss."""
        asked, count = self.recipe.optimiser, self.task.steps(number)
        self.task.learning(self.shared)
        losses = 0.0
        name = f"epoch {number}/{self.recipe.epochs}"
        shown = tqdm(islice(batches, count), name, count, unit="batch", dynamic_ncols=True, disable=not self.here.first)
        for index, batch in enumerate(shown, 1):
            loss = self._loss(batch)
            value = loss.item()
            if not math.isfinite(value):
                raise TrainingError(
                    f"{self.recipe.name}: the loss is {value} at batch {index} of epoch {number}; "
                    "lower optimiser.rate or optimiser.clip in the recipe"
                )
            self.scaler.scale(loss / asked.accumulate).backward()
            if index % asked.accumulate == 0 or index == count:
                self._step()
            losses += value
            shown.set_postfix(loss=f"{value:.3f}")
        return losses / count

    def _loss(self, batch: Batch) -> Tensor:
        """In the recipe's precision."""
        part = self.task.part(batch, self.here.rank, self.here.world)
        precision = getattr(torch, self.recipe.optimiser.precision)
        with torch.autocast(self.here.device.type, precision, enabled=precision != torch.float32):
            return self.task.loss(self.shared, part)

    def _step(self) -> None:
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimiser.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad()
        self.schedule.step()
        self.averaged.update_parameters(self.network)

    def _measured(self, found: nn.Module) -> Measured:
        """By the first process, and told to all, so that all stop alike."""
        return self.here.agreed(self.task.measure(found) if self.here.first else None)

    def _write(self, epoch: Epoch, found: nn.Module) -> None:
        task, recipe, out = self.task, self.recipe, self.out
        facts = Facts(epoch.epoch, epoch.temperature, epoch.validation_accuracy, task.data, task.labels)
        if self._best() is epoch:
            save(out / "best.pt", found, recipe, facts)
        if recipe.keep_every and epoch.epoch % recipe.keep_every == 0:
            save(out / f"epoch-{epoch.epoch:03d}.pt", found, recipe, facts)
        save(out / "last.pt", found, recipe, facts)
        lines = "".join(json.dumps(asdict(line)) + "\n" for line in self.history)
        (out / "history.jsonl").write_text(lines, encoding="utf-8")
        (out / "metrics.json").write_text(json.dumps(asdict(self._best()), indent=2) + "\n", encoding="utf-8")
        if epoch.seconds > _WORTH_A_PLOT:
            plots.history(self.history, out / "history.png")
        self.board.epoch(epoch, self.optimiser.param_groups[0]["lr"])
        tqdm.write(
            f"epoch {epoch.epoch}: loss {epoch.training_loss:.4f}, validation {epoch.validation_loss:.4f}, "
            + ", ".join(f"{kind} {share:.2%}" for kind, share in epoch.validation_accuracy.items())
        )
        # Last, so that a run interrupted before goes on from the epoch before, whose files it then writes anew.
        save_state(out / "state.pt", self._state())

    def _best(self) -> Epoch:
        best = self.history[0]
        for epoch in self.history[1:]:
            if self.task.better(epoch.measured, best.measured):
                best = epoch
        return best

    def _stopped_early(self) -> bool:
        patience = self.recipe.patience
        return bool(patience and self.history and len(self.history) - self._best().epoch >= patience)

    def _parts(self) -> dict[str, Any]:
        """All that changes while a run goes on, but for the history and chance."""
        return {
            "network": self.network,
            "averaged": self.averaged,
            "begun": self.begun,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }

    def _state(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump_json(),
            "history": [asdict(epoch) for epoch in self.history],
            "chance": torch.get_rng_state(),
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def _resume(self) -> None:
        state = load_state(self.out / "state.pt", self.recipe)
        try:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.history = [Epoch(**epoch) for epoch in state["history"]]
            torch.set_rng_state(state["chance"])
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            path = self.out / "state.pt"
            raise ConfigError(f"{path}: cannot be gone on with ({error}); begin without --resume") from None


def follow(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """For AveragedModel: a moving average that follows closely at first, since the weights and variances it starts from
    mean nothing.
    """

    def update(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        return average + (current - average) * (1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return update


def between(network: nn.Module, begun: nn.Module, share: float) -> nn.Module:
    """The network whose weights are `share` of `begun`'s and the rest of `network`'s."""
    mixed = deepcopy(network)
    weights = begun.state_dict()
    mixed.load_state_dict(
        {
            name: weight + share * (weights[name] - weight) if weight.is_floating_point() else weight
            for name, weight in network.state_dict().items()
        }
    )
    return mixed


@torch.no_grad()
def log_probs(network: nn.Module, crops: U8) -> np.ndarray:
    """float32 [N, K] for crops uint8 [N, S, S] or [N, S, S, C]."""
    network.eval()
    device = next(network.parameters()).device
    parts = (torch.from_numpy(crops[i : i + 1024]) for i in range(0, len(crops), 1024))
    return torch.cat([network(part.to(device)).cpu() for part in parts]).numpy()
