"""The loop itself, on a task so small that a run takes a moment: resuming, stopping, growing, sharing."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from edge.errors import ConfigError
from training import checkpoint, engine
from training.recipe import Optimiser, Recipe
from training.task import Measured, Task


class Points(Task):
    """Points of a plane, told apart by the side they lie on. Dropout makes chance matter."""

    labels = ("left", "right")
    data = ()

    def __init__(self, epochs=4, dropout=0.5, interrupted_in=None, losses=None, nan_at=None):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2))
        self.epochs, self.interrupted_in, self.losses, self.nan_at = epochs, interrupted_in, losses, nan_at
        self.measured = count(1)
        self.seen = 0

    def steps(self, epoch):
        return 5

    def batches(self, epoch):
        for number in range(epoch, self.epochs + 1):
            for step in range(5):
                points = torch.randn(8, 2, generator=torch.Generator().manual_seed(100 * number + step))
                yield points, (points[:, 0] > 0).long()

    def part(self, batch, rank, world):
        return tuple(part[rank::world] for part in batch)

    def loss(self, network, batch):
        points, labels = batch
        self.seen += 1
        if self.seen == self.nan_at:
            points = points * float("nan")
        return nn.functional.cross_entropy(network(points), labels)

    def measure(self, network):
        number = next(self.measured)
        if number == self.interrupted_in:
            raise KeyboardInterrupt
        if self.losses:
            return Measured(self.losses[number - 1], {"points": 0.5})
        points, labels = next(self.batches(1))
        network.eval()
        with torch.no_grad():
            out = network(points)
        right = float((out.argmax(1) == labels).float().mean())
        return Measured(float(nn.functional.cross_entropy(out, labels)), {"points": right})


def recipe(epochs=4, **more):
    optimiser = Optimiser(rate=0.05, average=0.5, **more.pop("optimiser", {}))
    return Recipe(name="points", epochs=epochs, optimiser=optimiser, **more)


ONE_THREAD = engine.Run(threads=1)


@dataclass
class Result:
    folder: object

    @property
    def weights(self):
        return torch.load(self.folder / "last.pt", weights_only=True)["weights"]

    @property
    def history(self):
        return [json.loads(line) for line in (self.folder / "history.jsonl").read_text().splitlines()]


def trained(folder, asked=None, run=ONE_THREAD, **task):
    engine.train(Points(**task), asked or recipe(), folder, run)
    return Result(folder)


def same(one, other):
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


WAYS = [
    {"schedule": "one-cycle"},
    {"schedule": "cosine", "kind": "adam"},
    {"schedule": "step", "kind": "sgd", "every": 1},
    {"schedule": "plateau", "every": 1},
    {"schedule": "constant", "accumulate": 2},
    {"precision": "bfloat16"},
]


@pytest.mark.parametrize("optimiser", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_a_resumed_run_ends_bit_for_bit_as_one_that_was_never_interrupted(tmp_path, optimiser):
    asked = recipe(optimiser=optimiser)
    whole = trained(tmp_path / "whole", asked)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", asked, interrupted_in=3)
    assert len(Result(tmp_path / "cut").history) == 2 and not same(whole, Result(tmp_path / "cut"))
    cut = trained(tmp_path / "cut", asked, engine.Run(threads=1, resume=True))
    assert same(whole, cut)
    strip = [{**epoch, "seconds": 0} for epoch in whole.history]
    assert strip == [{**epoch, "seconds": 0} for epoch in cut.history]


@pytest.mark.parametrize("optimiser", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_every_way_of_learning_makes_the_loss_fall(tmp_path, optimiser):
    history = trained(tmp_path, recipe(8, optimiser=optimiser), epochs=8).history
    assert history[-1]["training_loss"] < history[0]["training_loss"]


def test_ways_of_learning_differ(tmp_path):
    """Else one of them would not be wired in."""
    runs = [trained(tmp_path / str(i), recipe(optimiser=way)) for i, way in enumerate([*WAYS, {"clip": 0.01}])]
    assert not any(same(one, other) for i, one in enumerate(runs) for other in runs[:i])


def test_a_finished_run_is_resumed_to_nothing(tmp_path):
    whole = trained(tmp_path)
    before = whole.weights
    again = trained(tmp_path, run=engine.Run(threads=1, resume=True))
    assert all(torch.equal(before[name], again.weights[name]) for name in before) and len(again.history) == 4


def test_a_run_of_another_recipe_is_not_gone_on_with(tmp_path):
    trained(tmp_path)
    with pytest.raises(ConfigError, match="another recipe") as error:
        trained(tmp_path, recipe(5), engine.Run(threads=1, resume=True))
    assert str(tmp_path / "state.pt") in str(error.value) and "--resume" in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"no state", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_state_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ConfigError) as error:
        trained(tmp_path, run=engine.Run(resume=True))
    assert "state.pt" in str(error.value) and "\n" not in str(error.value) and "--resume" in str(error.value)


def test_a_loss_that_is_no_number_ends_the_run_with_a_word(tmp_path):
    with pytest.raises(engine.TrainingError, match=r"points: the loss is nan at batch 3 of epoch 2; lower") as error:
        trained(tmp_path, nan_at=8)
    assert error.value.exit_code == 1
    assert len(Result(tmp_path).history) == 1  # and what was learnt before is there


def test_a_run_stops_early_when_nothing_gets_better(tmp_path):
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 0.5, 0.4, 0.3]
    result = trained(tmp_path, recipe(8, patience=3), epochs=8, losses=losses)
    assert len(result.history) == 5
    assert checkpoint_epoch(tmp_path / "best.pt") == 2 and checkpoint_epoch(tmp_path / "last.pt") == 5
    assert json.loads((tmp_path / "metrics.json").read_text())["epoch"] == 2


def checkpoint_epoch(path):
    return json.loads(torch.load(path, weights_only=True)["facts"])["epoch"]


def test_every_so_many_epochs_a_checkpoint_is_kept(tmp_path):
    trained(tmp_path, recipe(5, keep_every=2), epochs=5)
    assert sorted(path.name for path in tmp_path.glob("epoch-*.pt")) == ["epoch-002.pt", "epoch-004.pt"]
    assert checkpoint_epoch(tmp_path / "epoch-002.pt") == 2


def test_gradients_of_two_batches_together_are_those_of_one_twice_as_large(tmp_path):
    class Doubled(Points):
        def steps(self, epoch):
            return 2

        def batches(self, epoch):
            all_ = list(super().batches(epoch))
            for number in range(self.epochs):
                for step in range(2):
                    one, two = all_[5 * number + 2 * step : 5 * number + 2 * step + 2]
                    yield tuple(torch.cat(parts) for parts in zip(one, two, strict=True))

    class Paired(Points):
        def steps(self, epoch):
            return 4

        def batches(self, epoch):
            all_ = list(super().batches(epoch))
            for number in range(self.epochs):
                yield from all_[5 * number : 5 * number + 4]

    engine.train(Doubled(dropout=0), recipe(), tmp_path / "one", ONE_THREAD)
    engine.train(Paired(dropout=0), recipe(optimiser={"accumulate": 2}), tmp_path / "two", ONE_THREAD)
    one, two = Result(tmp_path / "one").weights, Result(tmp_path / "two").weights
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)


SHARED = """
import sys, pathlib
sys.path[:0] = [{tests!r}]
from test_training import ONE_THREAD, Points, recipe
from training import engine
engine.train(Points(dropout=0), recipe(), pathlib.Path(sys.argv[1]), ONE_THREAD)
"""


def test_two_processes_learn_together_what_one_learns_alone(tmp_path):
    script = tmp_path / "shared.py"
    script.write_text(SHARED.format(tests=str(Path(__file__).parent)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, tmp_path]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, capture_output=True, text=True, timeout=180, env=env)
    assert done.returncode == 0, done.stderr
    alone, together = trained(tmp_path / "alone", dropout=0), Result(tmp_path)
    assert all(torch.allclose(alone.weights[name], together.weights[name], atol=1e-5) for name in alone.weights)
    assert len(together.history) == 4
    assert done.stderr.count("epoch 4/4") >= 1


def test_a_states_tensors_and_numbers_hold_no_code(tmp_path):
    trained(tmp_path)
    checkpoint.load_state(tmp_path / "state.pt", recipe())  # weights_only: anything else would be refused


def test_what_tensorboard_shows_is_written_where_it_is_there(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    trained(tmp_path, run=engine.Run(threads=1, tensorboard=True))
    assert list((tmp_path / "tensorboard").rglob("events.out.tfevents.*"))
