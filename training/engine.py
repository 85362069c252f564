"""The training procedure, from top to bottom: data, network, optimiser, loop, checkpoint.

    digitd train configs/recipes/mnist.toml --data-dir DATA

writes into the run's folder, by default runs/<recipe's name>:

    best.pt        the averaged weights with the lowest validation loss, and the recipe
    last.pt        those of the last epoch finished
    history.jsonl  a line an epoch
    history.png    loss and accuracy over epochs
    metrics.json   what the best epoch reached
"""

import json
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from edge.arrays import U8
from edge.errors import ConfigError
from training import hands, mnist, plots
from training.calibrate import fit_temperature
from training.checkpoint import Facts, begin_with, save
from training.dataset import LABELS, NO_DIGIT, Batches, Samples, origins, stock, validation_samples
from training.models import DigitNet
from training.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """One line of the history. Losses are mean negative log-likelihoods; accuracies shares in [0, 1]."""

    epoch: int
    training_loss: float
    validation_loss: float
    validation_accuracy: dict[str, float]  # by kind of sample
    seconds: float


def train(
    recipe: Recipe, data_dir: Path | None, out: Path, threads: int | None = None, start: Path | None = None
) -> Epoch:
    """Train by `recipe`, write `out`, and return the best epoch.

    start: a checkpoint whose weights to begin with.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)

    digits = mnist.load("train", data_dir)
    chosen, held_out = mnist.split_by_writer(digits, recipe.validation, recipe.seed)
    foreign, foreign_out = hands.split(hands.load(data_dir) if recipe.mix.hands else [], recipe.validation, recipe.seed)
    batches = Batches(chosen, stock(chosen, foreign, recipe, seed=1), recipe)
    validation = validation_samples(held_out, foreign_out, recipe)
    data = origins(chosen, foreign, recipe)

    network = DigitNet(len(LABELS), width=recipe.network.width, dropout=recipe.network.dropout)
    begin_with(network, start)
    begun = deepcopy(network)
    network.to(memory_format=torch.channels_last)
    averaged = AveragedModel(network, avg_fn=follow(recipe.optimiser.average), use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.optimiser.rate, weight_decay=recipe.optimiser.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        recipe.optimiser.rate,
        total_steps=len(batches),
        pct_start=recipe.optimiser.warm_up,
    )

    weights = torch.ones(len(LABELS))
    weights[NO_DIGIT] = recipe.reject_weight

    # Started afresh, not forked: a fork of a process in which OpenCV has run threads hangs.
    loader = iter(
        DataLoader(batches, batch_size=None, num_workers=2, prefetch_factor=8, multiprocessing_context="spawn")
    )
    best: Epoch | None = None
    history: list[Epoch] = []
    (out / "history.jsonl").unlink(missing_ok=True)
    for number in range(1, recipe.epochs + 1):
        began = time.perf_counter()
        loss_sum = 0.0
        network.train()
        steps = islice(loader, batches.per_epoch)
        name = f"epoch {number}/{recipe.epochs}"
        with tqdm(steps, name, batches.per_epoch, unit="batch", dynamic_ncols=True) as progress:
            for crops, labels in progress:
                loss = functional.nll_loss(network(crops), labels, weights)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                averaged.update_parameters(network)
                loss_sum += loss.item()
                progress.set_postfix(loss=f"{loss.item():.3f}")
        found = between(averaged.module, begun, recipe.optimiser.begun)
        losses, accuracies, temperature = _measure(found, validation)
        epoch = Epoch(number, loss_sum / batches.per_epoch, losses, accuracies, time.perf_counter() - began)
        facts = Facts(number, temperature, accuracies, data)
        history.append(epoch)
        with (out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(epoch)) + "\n")
        save(out / "last.pt", found, recipe, facts)
        if best is None or epoch.validation_loss < best.validation_loss:
            best = epoch
            save(out / "best.pt", found, recipe, facts)
        tqdm.write(
            f"epoch {number}: loss {epoch.training_loss:.4f}, validation {epoch.validation_loss:.4f}, "
            + ", ".join(f"{kind} {share:.2%}" for kind, share in accuracies.items())
        )
        plots.history(history, out / "history.png")
    if best is None:
        raise ConfigError("the recipe asks for no epochs; set epochs to 1 or more")
    (out / "metrics.json").write_text(json.dumps(asdict(best), indent=2) + "\n", encoding="utf-8")
    return best


def follow(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """For AveragedModel: a moving average that follows closely at first, since the weights and variances it starts from
    mean nothing.
    """

    def update(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        return average + (current - average) * (1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return update


def between(network: torch.nn.Module, begun: torch.nn.Module, share: float) -> torch.nn.Module:
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
def log_probs(network: torch.nn.Module, crops: U8) -> np.ndarray:
    """float32 [N, K] for crops uint8 [N, 28, 28]."""
    network.eval()
    parts: list[Tensor] = [network(torch.from_numpy(crops[i : i + 1024])) for i in range(0, len(crops), 1024)]
    return torch.cat(parts).numpy()


def _measure(network: torch.nn.Module, samples: dict[str, Samples]) -> tuple[float, dict[str, float], float]:
    """Mean loss over all kinds of samples, each kind counting the same; each kind's accuracy; the temperature."""
    losses, accuracies, outs = [], {}, []
    for kind, (crops, labels) in samples.items():
        out = log_probs(network, crops)
        losses.append(-out[np.arange(len(labels)), labels].mean())
        accuracies[kind] = float((out.argmax(1) == labels).mean())
        outs.append(out)
    truth = np.concatenate([labels for _, labels in samples.values()])
    return float(np.mean(losses)), accuracies, fit_temperature(np.concatenate(outs), truth)
