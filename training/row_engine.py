"""The training procedure of whole rows, from top to bottom: strips, network, optimiser, loop, checkpoint.

    digitd train configs/recipes/rows.toml --data-dir DATA

writes into the run's folder, beside what `training.engine` writes, strips/: the stock, which the next run of the same
recipe takes as it is. Delete it after a change to what makes strips.
"""

import json
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from edge.errors import ConfigError
from edge.sequence import best_path
from training import plots
from training.checkpoint import Facts, begin_with, save
from training.engine import Epoch, between, follow
from training.models import RowNet
from training.recipe import RowRecipe
from training.row_dataset import LABELS, Batch, Strip, bank, batches, by_width, padded, per_epoch, stock, validation

_STEEPEST = 2.0  # norm of a gradient: the first batches of CTC have some that throw the weights far off


def train(
    recipe: RowRecipe, data_dir: Path | None, out: Path, threads: int | None = None, start: Path | None = None
) -> Epoch:
    """Train by `recipe`, write `out`, and return the best epoch: the one that reads most validation rows rightly.

    start: a checkpoint whose weights to begin with.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)

    network = RowNet(len(LABELS), recipe.width)
    begin_with(network, start)
    begun = deepcopy(network)
    network.to(memory_format=torch.channels_last)
    strips = stock(recipe, data_dir, out / "strips")
    held_out = validation(recipe, data_dir)
    _, data = bank(recipe, data_dir, held_out=False)

    averaged = AveragedModel(network, avg_fn=follow(recipe.optimiser.average), use_buffers=True)
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.optimiser.rate, weight_decay=recipe.optimiser.decay, betas=(0.9, 0.99)
    )
    count = per_epoch(strips, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        recipe.optimiser.rate,
        total_steps=recipe.epochs * count,
        pct_start=recipe.optimiser.warm_up,
        cycle_momentum=False,
    )

    best: Epoch | None = None
    history: list[Epoch] = []
    (out / "history.jsonl").unlink(missing_ok=True)
    for number in range(1, recipe.epochs + 1):
        start = time.perf_counter()
        loss_sum = 0.0
        network.train()
        shown = tqdm(
            batches(strips, recipe, number), f"epoch {number}/{recipe.epochs}", count, unit="batch", dynamic_ncols=True
        )
        for batch in shown:
            loss = ctc_loss(network(batch.strips), batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), _STEEPEST)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            loss_sum += loss.item()
            shown.set_postfix(loss=f"{loss.item():.3f}")
        found = between(averaged.module, begun, recipe.optimiser.begun)
        loss_out, right = measure(found, held_out)
        epoch = Epoch(number, loss_sum / count, loss_out, {"rows": right}, time.perf_counter() - start)
        facts = Facts(number, 1.0, epoch.validation_accuracy, data)
        history.append(epoch)
        with (out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(epoch)) + "\n")
        save(out / "last.pt", found, recipe, facts)
        if best is None or right > best.validation_accuracy["rows"]:
            best = epoch
            save(out / "best.pt", found, recipe, facts)
        tqdm.write(f"epoch {number}: loss {epoch.training_loss:.4f}, validation {loss_out:.4f}, rows {right:.2%}")
        plots.history(history, out / "history.png")
    if best is None:
        raise ConfigError("the recipe asks for no epochs; set epochs to 1 or more")
    (out / "metrics.json").write_text(json.dumps(asdict(best), indent=2) + "\n", encoding="utf-8")
    return best


def ctc_loss(log_probs: Tensor, batch: Batch) -> Tensor:
    """Mean over the batch's texts, each by its length. log_probs: float32 [N, T, K]."""
    steps = torch.full((log_probs.shape[0],), log_probs.shape[1])
    return functional.ctc_loss(log_probs.transpose(0, 1), batch.labels, steps, batch.lengths, zero_infinity=True)


@torch.no_grad()
def measure(network: torch.nn.Module, strips: list[Strip]) -> tuple[float, float]:
    """Mean loss, and the share of rows that the likeliest labels spell exactly."""
    network.eval()
    losses, right = [], 0
    for chosen in by_width(strips, 100):
        batch = padded([strips[i] for i in chosen])
        log_probs = network(batch.strips)
        losses.append(float(ctc_loss(log_probs, batch)) * len(chosen))
        for i, steps in zip(chosen, log_probs.numpy(), strict=True):
            right += "".join(LABELS[label] for label in best_path(steps).labels) == strips[i][1]
    return sum(losses) / len(strips), right / len(strips)
