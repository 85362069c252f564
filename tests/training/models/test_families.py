"""Every family takes crops of any size it is built for, gives log-probabilities, learns, and exports as it stands."""

import logging
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from edge.errors import ConfigError
from training.models import FAMILIES, build, multiply_adds, options
from training.models.cbam import Attention
from training.models.dbrhb import Widening

every_family = pytest.mark.parametrize("family", FAMILIES)
SMALL = {"width": 4, "hidden": 8}


def small(family, classes=10, size=28, channels=1, **chosen):
    """A narrow network of the family: the same layers, sooner done."""
    given = {name: value for name, value in SMALL.items() if name in options(family) and family != "mlp"}
    return build(family, classes, size, channels, **{**given, **chosen})


def crops(count, size=28, channels=1, seed=0):
    shape = (count, size, size) if channels == 1 else (count, size, size, channels)
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


@every_family
@given(st.integers(16, 64), st.sampled_from([1, 3]), st.integers(2, 40), st.integers(1, 3))
@settings(max_examples=8)
def test_crops_of_any_size_channels_and_classes_give_log_probabilities(family, size, channels, classes, count):
    network = small(family, classes, size, channels).eval()
    with torch.no_grad():
        out = network(crops(count, size, channels))
    assert out.shape == (count, classes) and out.dtype == torch.float32
    assert torch.allclose(out.exp().sum(1), torch.ones(count), atol=1e-5)


@every_family
def test_the_head_is_the_last_layer_and_sees_what_embed_gives(family):
    network = small(family).eval()
    with torch.no_grad():
        embedded = network.embed(network.scaled(crops(5)))
        assert embedded.shape == (5, network.head.in_features)
        assert torch.equal(functional.log_softmax(network.head(embedded), 1), network(crops(5)))
        network.head = torch.nn.Linear(network.head.in_features, 3)
        assert network(crops(5)).shape == (5, 3)


@every_family
def test_a_crop_reads_the_same_whatever_lies_beside_it_in_the_batch(family):
    network = small(family).eval()
    with torch.no_grad():
        together, alone = network(crops(6)), torch.cat([network(crops(6)[i : i + 1]) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-5)


@every_family
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_family_learns_two_shapes_in_a_few_steps(family, memory):
    torch.manual_seed(0)
    network = small(family, 2, **({"dropout": 0.0} if "dropout" in options(family) else {})).to(memory_format=memory)
    upright, level = torch.zeros(2, 16, 28, 28, dtype=torch.uint8)
    for i in range(16):
        upright[i, 4:24, 6 + i : 9 + i] = 255
        level[i, 6 + i : 9 + i, 4:24] = 255
    shown, labels = torch.cat([upright, level]), torch.tensor([0] * 16 + [1] * 16)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(25):
        loss = functional.nll_loss(network(shown), labels)
        optimiser.zero_grad()
        loss.backward()
        assert all(weight.grad is not None for weight in network.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


# Crops of three channels are turned into what a network sees by the same code in every family.
@pytest.mark.parametrize(("family", "size", "channels"), [*((family, 28, 1) for family in FAMILIES), ("lenet5", 20, 3)])
def test_the_exported_file_gives_what_the_network_gives_for_any_batch(family, size, channels, tmp_path):
    network = small(family, 5, size, channels)
    network(crops(8, size, channels, seed=1))  # so that the norms' running means are not those of an untrained network
    network.eval()
    path = tmp_path / "network.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (network.paper(2),),
            path,
            input_names=["crops"],
            output_names=["log_probs"],
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    quiet = onnxruntime.SessionOptions()
    quiet.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, quiet, providers=["CPUExecutionProvider"])
    for count in (1, 2, 33):
        batch = crops(count, size, channels, seed=count)
        (theirs,) = session.run(["log_probs"], {"crops": batch.numpy()})
        with torch.no_grad():
            assert theirs.shape == (count, 5) and np.abs(network(batch).numpy() - theirs).max() < 1e-4


# Parameters that the layers' sizes add up to by hand, and multiply-adds of convolutions and linear layers.
@pytest.mark.parametrize(
    ("family", "parameters", "cost"),
    [
        ("mlp", 784 * 300 + 2 * 300 + 300 * 100 + 2 * 100 + 1010, 784 * 300 + 300 * 100 + 1000),
        ("lenet5", 156 + 2416 + 48120 + 10164 + 850, 784 * 150 + 100 * 2400 + 48000 + 10080 + 840),
        ("cnn2", 320 + 18496 + 3136 * 128 + 128 + 1290, 784 * 288 + 196 * 18432 + 3136 * 128 + 1280),
        (
            "digitcnn",
            288 + 64 + 18432 + 128 + 73728 + 256 + 1152 * 256 + 256 + 2570,
            784 * 288 + 196 * 18432 + 49 * 73728 + 1152 * 256 + 2560,
        ),
    ],
)
def test_the_plain_families_have_the_layers_of_their_sources(family, parameters, cost):
    network = build(family, 10)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert multiply_adds(network) == cost


def test_a_separable_convolution_costs_a_part_for_space_and_a_part_for_channels():
    network = build("separable", 10, width=8)
    sides = [14, 14, 7, 7, 4, 4]
    wide = [8, 16, 32, 32, 64, 64]
    cost = 14**2 * 9 * 8 + 640
    for inputs, outputs, side in zip(wide, wide[1:], sides[1:], strict=False):
        cost += side**2 * (9 * inputs + inputs * outputs)
    assert multiply_adds(network) == cost


@every_family
def test_counting_multiply_adds_leaves_a_network_as_it_was(family):
    network = small(family).train()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    assert multiply_adds(network) > 0
    assert network.training
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_attention_only_weakens_and_by_channel_and_place():
    attention = Attention(32).eval()
    x = torch.rand(3, 32, 9, 9)
    with torch.no_grad():
        weights = attention(x) / x
    assert ((weights >= 0) & (weights <= 1)).all()
    # A weight is the product of one of the channel and one of the place.
    assert torch.allclose(
        weights * weights.mean((1, 2, 3), keepdim=True),
        weights.mean((2, 3), keepdim=True) * weights.mean(1, keepdim=True),
        atol=1e-5,
    )


def test_residual_blocks_begin_near_the_way_round_them():
    block = Widening(8, 8).eval()
    torch.nn.init.zeros_(block.blocks[2].weight)
    x = torch.rand(2, 8, 6, 6)
    with torch.no_grad():
        assert torch.equal(block(x), x)


@every_family
def test_options_are_what_a_family_takes_and_change_it(family):
    for name, value in options(family).items():
        other = 0.25 if isinstance(value, float) else [7, 5] if name == "hidden" and family == "mlp" else 2 * value - 1
        network = build(family, 4, **{name: other})
        if name == "dropout":
            assert 0.25 in {layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)}
        else:
            shapes = [weight.shape for weight in network.parameters()]
            assert shapes != [weight.shape for weight in build(family, 4).parameters()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resnet", 10), "network.family: 'resnet' is none; take one of digits, mlp, "),
        (("mlp", 1), "2 classes or more apart, not 1"),
        (("cnn2", 10, 15), "network.size: 15 pixels"),
        (("cnn2", 10, 65), "network.size: 65 pixels"),
        (("cnn2", 10, 28, 2), "network.channels: 2"),
        (("cnn2", 10, 28, 1, {"depth": 3}), "network.depth: cnn2 has no such option; it has width, hidden, dropout"),
        (("cnn2", 10, 28, 1, {"width": 0}), "network.width: 0 cannot be; the default is 32"),
        (("cnn2", 10, 28, 1, {"width": "8"}), "network.width: '8' cannot be"),
        (("cnn2", 10, 28, 1, {"dropout": 1.0}), "network.dropout: 1.0 cannot be"),
        (("mlp", 10, 28, 1, {"hidden": []}), "network.hidden: [] cannot be"),
        (("mlp", 10, 28, 1, {"hidden": [30, 0]}), "network.hidden: [30, 0] cannot be"),
        (("cbam", 10, 28, 1, {"window": 6}), "network.window: 6 has no middle"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(words, said):
    with pytest.raises(ConfigError) as error:
        build(*words[:4], **dict(*words[4:]))
    assert said in str(error.value) and "\n" not in str(error.value)
