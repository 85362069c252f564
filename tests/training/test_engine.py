"""A real run, small: what it writes, and that what it wrote is read back, and nothing else is."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import ConfigError
from training import checkpoint, engine, mnist
from training.evaluate import evaluate_mnist
from training.models import DigitNet, RowNet
from training.recipe import load

# One run of training serves them all: `--dist loadgroup` keeps them in one process.
pytestmark = pytest.mark.xdist_group("tiny run")


def test_a_run_writes_checkpoints_history_plot_and_metrics(tiny_run):
    names = {path.name for path in tiny_run.out.iterdir()}
    assert names == {"best.pt", "last.pt", "state.pt", "history.jsonl", "history.png", "metrics.json"}
    assert (tiny_run.out / "history.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    epochs = [json.loads(line) for line in (tiny_run.out / "history.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    kinds = {"mnist", "augmented", "strokes", "parts", "pairs", "marks", "lines"}
    for epoch in epochs:
        assert set(epoch["validation_accuracy"]) == kinds
        assert all(0 <= share <= 1 for share in epoch["validation_accuracy"].values())
        assert epoch["training_loss"] > 0 and epoch["validation_loss"] > 0 and epoch["seconds"] > 0
    best = min(epochs, key=lambda epoch: epoch["validation_loss"])
    assert json.loads((tiny_run.out / "metrics.json").read_text()) == best


def test_two_epochs_teach_it_something(tiny_run):
    epochs = [json.loads(line) for line in (tiny_run.out / "history.jsonl").read_text().splitlines()]
    assert epochs[1]["training_loss"] < epochs[0]["training_loss"]
    assert epochs[1]["training_loss"] < np.log(11)
    assert epochs[1]["validation_accuracy"]["mnist"] > 0.2


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
def test_a_checkpoint_comes_back_with_its_recipe_and_facts(tiny_run, name):
    network, recipe, facts = checkpoint.load(tiny_run.out / name)
    assert recipe == load(tiny_run.recipe)
    assert not network.training
    epochs = [json.loads(line) for line in (tiny_run.out / "history.jsonl").read_text().splitlines()]
    expected = 2 if name == "last.pt" else json.loads((tiny_run.out / "metrics.json").read_text())["epoch"]
    assert facts.epoch == expected
    assert facts.accuracies == epochs[expected - 1]["validation_accuracy"]
    assert 0.25 <= facts.temperature <= 4
    # Four of 40 writers, of ten digits each, were held out.
    assert facts.data[0].samples == 360 and all(data.licence for data in facts.data)


def test_a_checkpoint_holds_tensors_and_text_only(tiny_run):
    content = torch.load(tiny_run.out / "best.pt", weights_only=True)
    assert all(type(value) is torch.Tensor for value in content["weights"].values())
    assert {type(content[key]) for key in content if key != "weights"} == {str}


def test_the_network_gives_log_probabilities_that_depend_on_no_neighbour(tiny_run):
    network, _, _ = checkpoint.load(tiny_run.out / "best.pt")
    crops = np.random.default_rng(0).integers(0, 256, (1500, 28, 28), np.uint8)
    out = engine.log_probs(network, crops)
    assert out.shape == (1500, 11) and out.dtype == np.float32
    assert np.exp(out.astype(float)).sum(1) == pytest.approx(np.ones(1500), abs=1e-4)
    assert np.abs(engine.log_probs(network, crops[1490:]) - out[1490:]).max() < 1e-5


@pytest.mark.parametrize("width", [4, 7, 32])
def test_networks_of_any_width_take_uint8_crops(width):
    network = DigitNet(11, width=width).eval()
    with torch.no_grad():
        out = network(torch.full((3, 28, 28), 255, dtype=torch.uint8))
    assert tuple(out.shape) == (3, 11) and out.exp().sum(1).numpy() == pytest.approx(np.ones(3), abs=1e-5)


def test_a_run_may_begin_with_another_ones_weights(tiny_run):
    learnt, recipe, _ = checkpoint.load(tiny_run.out / "best.pt")
    network = DigitNet(11, width=recipe.network.width)
    checkpoint.begin_with(network, None)
    assert not all(torch.equal(a, b) for a, b in zip(network.parameters(), learnt.parameters(), strict=True))
    checkpoint.begin_with(network, tiny_run.out / "best.pt")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), learnt.parameters(), strict=True))


@pytest.mark.parametrize("other", [DigitNet(11, width=52), RowNet(11)])
def test_weights_of_another_width_or_kind_are_refused(tiny_run, other):
    with pytest.raises(ConfigError, match="another kind or width; --start wants") as error:
        checkpoint.begin_with(other, tiny_run.out / "best.pt")
    assert str(error.value).startswith(f"{tiny_run.out / 'best.pt'}: ")


class Bomb:
    """What a pickle can do to who opens it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def refusal(path):
    with pytest.raises(ConfigError) as error:
        checkpoint.load(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ") and "\n" not in said and "digitd train" in said
    assert error.value.exit_code == 78
    return said


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["pickle", "torch.save", "inside weights"])
def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path, how):
    trap, path = tmp_path / "sprung", tmp_path / "best.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(trap)))
    else:
        torch.save(Bomb(trap) if how == "torch.save" else {"weights": Bomb(trap), "recipe": "{}", "facts": "{}"}, path)
    refusal(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "content", [b"", b"text, not a checkpoint", bytes(range(256)) * 20, b"PK\x03\x04" + bytes(200)]
)
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path, content):
    path = tmp_path / "best.pt"
    path.write_bytes(content)
    refusal(path)


def test_a_cut_off_checkpoint_is_refused(tiny_run, tmp_path):
    data = (tiny_run.out / "best.pt").read_bytes()
    path = tmp_path / "best.pt"
    for length in (10, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:length])
        refusal(path)


def test_a_missing_checkpoint_is_refused_with_the_mend(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "none.pt")
    refusal(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": "{}"},
        {"recipe": "no json"},
        {"facts": "{}"},
        {"facts": "[1]"},
        {"facts": 3},
        {"weights": {}},
        {"weights": None},
        {"recipe": '{"name": "x", "network": {"width": 8}}'},
    ],
    ids=str,
)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused(tiny_run, tmp_path, change):
    content = torch.load(tiny_run.out / "best.pt", weights_only=True)
    path = tmp_path / "best.pt"
    torch.save({**content, **change}, path)
    refusal(path)


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"weights": {}}, torch.zeros(3)], ids=["list", "empty", "part", "tensor"]
)
def test_a_file_of_torch_that_is_something_else_is_refused(tmp_path, content, recwarn):
    path = tmp_path / "best.pt"
    torch.save(content, path)
    refusal(path)
    assert not recwarn.list  # PyTorch warns of a key that is asked of a tensor


def test_evaluation_counts_what_the_network_says(tiny_run, taken_for_mnist):
    report = evaluate_mnist(tiny_run.out / "best.pt", taken_for_mnist)
    test = mnist.load("test", taken_for_mnist, download=False)
    network, _, _ = checkpoint.load(tiny_run.out / "best.pt")
    said = engine.log_probs(network, test.images).argmax(1)
    assert report.confusion.shape == (10, 11) and report.confusion.sum() == len(test)
    assert report.confusion.sum(1).tolist() == [33] * 10
    for digit in range(10):
        for label in range(11):
            assert report.confusion[digit, label] == ((test.labels == digit) & (said == label)).sum()
    assert report.accuracy == pytest.approx((said == test.labels).mean())
    table = report.table()
    assert table.splitlines()[-1].endswith(f"{report.accuracy:.2%}") and "best.pt" in table
    assert len(table.splitlines()) == 12


def test_between_two_networks_lie_weights_and_running_means_in_their_shares() -> None:
    begun, found = DigitNet(11, width=4, dropout=0.0), DigitNet(11, width=4, dropout=0.0)
    for network in (begun, found):
        network.train()(torch.randint(0, 256, (8, 28, 28), dtype=torch.uint8))
    mixed = engine.between(found, begun, 0.25).state_dict()
    for name, weight in found.state_dict().items():
        if weight.is_floating_point():
            assert torch.allclose(mixed[name], 0.75 * weight + 0.25 * begun.state_dict()[name], atol=1e-6), name
    alone = engine.between(found, begun, 0).state_dict()
    assert all(torch.equal(weight, alone[name]) for name, weight in found.state_dict().items())
