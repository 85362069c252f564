"""A model file becomes a network again that says what the file says."""

import numpy as np
import pytest
import torch

from edge.engine import EngineConfig
from edge.errors import ConfigError, ModelError
from edge.recogniser import Recogniser, default_model
from edge.sequence import RowModel, default_row_model
from training.engine import log_probs
from training.from_onnx import digit_net, normalise, row_net
from training.models import RowNet


def test_the_shipped_file_says_as_a_network_what_it_says_as_a_file():
    network, card = digit_net(default_model())
    recogniser = Recogniser(default_model(), EngineConfig("cpu"))
    assert card == recogniser.card
    crops = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    told = recogniser.log_probs(crops) * card.temperature
    told -= np.logaddexp.reduce(told, axis=1, keepdims=True)
    assert np.abs(log_probs(network, crops) - told).max() < 1e-3
    assert not network.training and all(weight.requires_grad for weight in network.parameters())


def test_the_shipped_row_model_says_as_a_network_what_it_says_as_a_file_and_can_be_trained():
    rng = np.random.default_rng(0)
    strips = (rng.integers(0, 256, (24, 32, 96)) * (rng.random((24, 32, 96)) < 0.2)).astype(np.uint8)
    batches = [torch.from_numpy(strips[i::3]) for i in range(3)]
    network = row_net(default_row_model())
    normalise(network, batches)
    told = np.stack(RowModel(default_row_model(), EngineConfig("cpu")).log_probs(list(strips)))
    with torch.no_grad():
        assert np.abs(network(torch.from_numpy(strips)).numpy() - told).max() < 1e-3
        # In training each batch is normalised by itself: by what it was measured to be, that changes little.
        assert np.abs(np.exp(network.train()(torch.from_numpy(strips)).numpy()) - np.exp(told)).mean() < 0.02


def test_a_normalised_network_says_what_it_said_whatever_its_normalisations_were():
    """Blocks that the file has not, of a deeper network, are normalised as they were begun."""
    rng = np.random.default_rng(1)
    batches = [torch.from_numpy(rng.integers(0, 256, (8, 32, 64), np.uint8)) for _ in range(3)]
    network = RowNet(11, 8, 16, deeper=1).eval()
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        for values, low, high in ((norm.running_mean, -1, 1), (norm.running_var, 0.2, 3), (norm.weight, -1.5, 1.5)):
            torch.nn.init.uniform_(values, low, high)
    with torch.no_grad():
        before = [network(batch) for batch in batches]
        normalise(network, batches)
        for batch, said in zip(batches, before, strict=True):
            assert torch.abs(network(batch) - said).max() < 1e-3
        # In training, when each batch is normalised by itself, all of it together still says that.
        together = torch.cat(batches)
        assert torch.abs(network.train()(together) - torch.cat(before)).max() < 1e-3


def test_other_files_are_refused_in_one_line(tmp_path):
    with pytest.raises((ModelError, ConfigError)) as error:
        digit_net(default_row_model())
    assert str(error.value).startswith(str(default_row_model())) and "\n" not in str(error.value)
    path = tmp_path / "none.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"none\.onnx: "):
        digit_net(path)
    with pytest.raises((ModelError, ConfigError), match=r"digits\.onnx: "):
        row_net(default_model())
