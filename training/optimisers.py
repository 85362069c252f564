"""A recipe's optimiser and the way of its learning rate."""

from itertools import accumulate

import torch
from torch import nn
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from training.recipe import Optimiser

_BETAS = (0.9, 0.99)  # the squares' mean forgets faster than by default: runs are a few thousand steps long


def optimiser(network: nn.Module, asked: Optimiser) -> torch.optim.Optimizer:
    """Of the weights that are to learn; a trunk at no rate at all is kept as it is."""
    head = {id(weight) for name, weight in network.named_parameters() if name.startswith("head.")}
    if asked.trunk == 1 or not head:
        groups = [{"params": list(network.parameters())}]
    else:
        of_head = [weight for weight in network.parameters() if id(weight) in head]
        of_trunk = [weight for weight in network.parameters() if id(weight) not in head]
        groups = [{"params": of_head}]
        if asked.trunk:
            groups.append({"params": of_trunk, "lr": asked.rate * asked.trunk})
        for weight in of_trunk:
            weight.requires_grad_(asked.trunk > 0)
    if asked.kind == "sgd":
        return torch.optim.SGD(
            groups, asked.rate, asked.momentum, weight_decay=asked.decay, nesterov=asked.momentum > 0
        )
    kind = torch.optim.AdamW if asked.kind == "adamw" else torch.optim.Adam
    return kind(groups, asked.rate, betas=_BETAS, weight_decay=asked.decay)


class Schedule:
    """steps: of the optimiser, in each epoch of the run."""

    def __init__(self, optimiser: torch.optim.Optimizer, asked: Optimiser, steps: list[int]) -> None:
        self._by_epoch: ReduceLROnPlateau | None = None
        self._by_step: LRScheduler | None = None
        total, warm = sum(steps), round(sum(steps) * asked.warm_up)
        match asked.schedule:
            case "one-cycle":
                highest = [group["lr"] for group in optimiser.param_groups]
                self._by_step = OneCycleLR(
                    optimiser, highest, total_steps=total, pct_start=asked.warm_up, cycle_momentum=False
                )
            case "cosine":
                fall = CosineAnnealingLR(optimiser, max(1, total - warm))
                rise = LinearLR(optimiser, 0.01, total_iters=warm) if warm else None
                self._by_step = SequentialLR(optimiser, [rise, fall], [warm]) if rise else fall
            case "step":
                ends = list(accumulate(steps))[asked.every - 1 :: asked.every]
                self._by_step = MultiStepLR(optimiser, ends, asked.factor)
            case "plateau":
                self._by_epoch = ReduceLROnPlateau(optimiser, factor=asked.factor, patience=asked.every - 1)
            case "constant":
                self._by_step = ConstantLR(optimiser, 1.0)

    def step(self) -> None:
        """After each of the optimiser's."""
        if self._by_step:
            self._by_step.step()

    def epoch(self, validation_loss: float) -> None:
        """After each epoch."""
        if self._by_epoch:
            self._by_epoch.step(validation_loss)

    def state_dict(self) -> dict[str, object]:
        return (self._by_step or self._by_epoch).state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        (self._by_step or self._by_epoch).load_state_dict(state)
