"""Each optimiser and schedule as its recipe says."""

import pytest
import torch
from torch import nn

from training.models import build
from training.optimisers import Schedule, optimiser
from training.recipe import Optimiser


def rates(asked, steps, losses=()):
    weight = nn.Parameter(torch.zeros(1))
    network = nn.Module()
    network.weight = weight
    made = optimiser(network, asked)
    schedule = Schedule(made, asked, steps)
    found = []
    for epoch, count in enumerate(steps):
        for _ in range(count):
            found.append(made.param_groups[0]["lr"])
            weight.grad = torch.zeros(1)
            made.step()
            schedule.step()
        if losses:
            schedule.epoch(losses[epoch])
    return found


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing():
    found = rates(Optimiser(rate=0.1, warm_up=0.3), [50, 50])
    assert max(found) == pytest.approx(0.1) and 25 <= found.index(max(found)) <= 35
    assert found[0] < 0.01 and found[-1] < 1e-4


def test_cosine_warms_up_and_falls():
    found = rates(Optimiser(rate=0.1, schedule="cosine", warm_up=0.1), [50, 50])
    assert found[0] < 0.01 and found[10] == pytest.approx(0.1) and found[55] == pytest.approx(0.05, abs=0.005)
    assert found[-1] < 1e-3


def test_steps_come_after_every_so_many_epochs_however_long_these_are():
    found = rates(Optimiser(rate=1.0, schedule="step", every=2, factor=0.1), [4, 4, 2, 2, 1])
    assert found == pytest.approx([1.0] * 8 + [0.1] * 4 + [0.01])


def test_a_plateau_is_left_when_the_loss_has_not_fallen():
    found = rates(Optimiser(rate=1.0, schedule="plateau", every=2, factor=0.5), [1] * 7, [3, 2, 2, 2, 2, 2, 2])
    assert found == pytest.approx([1, 1, 1, 1, 0.5, 0.5, 0.25])


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_the_trunk_learns_at_its_share_of_the_rate(kind):
    network = build("lenet5", 10)
    made = optimiser(network, Optimiser(kind=kind, rate=0.1, trunk=0.2))
    head, trunk = made.param_groups
    assert {id(weight) for weight in head["params"]} == {id(weight) for weight in network.head.parameters()}
    assert head["lr"] == 0.1 and trunk["lr"] == pytest.approx(0.02)
    Schedule(made, Optimiser(rate=0.1, trunk=0.2), [10])
    assert trunk["max_lr"] == pytest.approx(0.02)


def test_a_trunk_without_a_rate_is_kept_as_it_is():
    network = build("lenet5", 10)
    (head,) = optimiser(network, Optimiser(trunk=0)).param_groups
    assert len(head["params"]) == 2
    assert sum(weight.requires_grad for weight in network.parameters()) == 2
