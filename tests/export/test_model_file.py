"""A network in memory is exported without MNIST at hand, as fine-tuning does it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.engine import EngineConfig
from edge.errors import ConfigError
from edge.recogniser import Recogniser
from export import gates
from export.gates import Refused
from export.model_file import export_network
from export.onnx_file import export_torch_program
from training import checkpoint, dataset, mnist
from training.models import FAMILIES

pytestmark = pytest.mark.xdist_group("tiny run")


@pytest.fixture
def no_mnist(monkeypatch):
    def missing(*_, **__):
        raise AssertionError("MNIST was asked for")

    monkeypatch.setattr(mnist, "load", missing)


@pytest.fixture(scope="module")
def tuned(tiny_run, files):
    """A network, its card, and a user's own samples: to test on, and to calibrate on."""
    network, recipe, _ = checkpoint.load(tiny_run.out / "best.pt")
    card = replace(Recogniser(files["float32"].path, EngineConfig("cpu")).card, accuracies={"kept": 0.5})
    data = mnist.Mnist(*own(400, 1), None)
    made = dataset.stock(data, [], recipe, 9, 60)
    return network, card, {"own digits": own(60, 2), "strokes": made["strokes"]}, made["parts"][0].repeat(5, axis=0)


def own(count, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count)


def test_a_tuned_network_becomes_files_measured_on_its_users_samples(tuned, tmp_path, no_mnist):
    network, card, tests, calibration = tuned
    plain, int8 = export_network(network, card, tmp_path / "own.onnx", tests, calibration, ["float32", "int8"])
    assert (plain.path.name, int8.path.name) == ("own.onnx", "own.int8.onnx")
    for file in (plain, int8):
        said = Recogniser(file.path, EngineConfig("cpu")).card.accuracies
        assert said == {"kept": 0.5, **file.accuracies} and set(file.accuracies) == set(tests)
        assert all(gate.passed for gate in file.gates)
    assert int8.bytes < plain.bytes or plain.bytes < 60_000  # a tiny network's nodes outweigh it
    assert plain.accuracies == plain.before and plain.farthest < 1e-4 < int8.farthest


def test_exporting_leaves_a_network_in_training_as_it_was(tuned, tmp_path):
    network, card, tests, _ = tuned
    network.train()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    export_network(network, card, tmp_path / "own.onnx", tests)
    assert network.training and all(torch.equal(before[name], w) for name, w in network.state_dict().items())
    network.eval()


def test_the_first_file_that_fails_is_named_and_those_before_it_stay(tuned, tmp_path, monkeypatch):
    network, card, tests, calibration = tuned
    monkeypatch.setitem(gates.DROPS, "int8", -2.0)  # no share can grow by two hundred points
    monkeypatch.setattr(gates, "CHANCE", 2.0)
    with pytest.raises(Refused) as error:
        export_network(network, card, tmp_path / "own.onnx", tests, calibration, ["float32", "int8"], "best.pt")
    said = str(error.value)
    assert "own.int8.onnx: not written" in said and "best.pt" in said and "right, own digits" in said
    assert "\n" not in said and error.value.exit_code == 78
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.md", "own.onnx"]


def test_a_network_that_the_box_cannot_feed_is_refused_in_one_line(tuned, tmp_path):
    _, card, tests, _ = tuned
    wide = next(iter(FAMILIES.values()))(11, 32)
    with pytest.raises(ConfigError, match=r"network\.size = 28") as error:
        export_network(wide, card, tmp_path / "own.onnx", tests)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_without_a_test_nothing_is_exported(tuned, tmp_path):
    network, card, _, _ = tuned
    with pytest.raises(ValueError, match="at least one test"):
        export_network(network, card, tmp_path / "own.onnx", {})


def test_a_torch_program_says_what_the_network_says(tuned, tiny_run, tmp_path):
    network, _, tests, _ = tuned
    export_torch_program(tiny_run.out / "best.pt", tmp_path / "tiny.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.pt2"]
    program = torch.export.load(tmp_path / "tiny.pt2").module()
    for count in (1, 2, 60):
        crops = torch.from_numpy(tests["own digits"][0][:count])
        assert torch.allclose(program(crops), network(crops), atol=1e-5)
