"""A small network cut out of a large one."""

from pathlib import Path

import pytest
import torch

from edge.errors import ConfigError
from training import checkpoint
from training.models import build
from training.pruning import fits, prune
from training.recipe import Network, Recipe

CROPS = torch.arange(4 * 28 * 28).remainder(251).to(torch.uint8).reshape(4, 28, 28)


def network(width, hidden=64, classes=10):
    torch.manual_seed(width)
    one = build("digitcnn", classes, width=width, hidden=hidden).eval()
    for norm in (each for each in one.modules() if isinstance(each, torch.nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 2)
    return one


def test_cut_to_its_own_size_a_network_answers_as_before():
    large, same = network(8), network(8)
    torch.nn.init.uniform_(same.head.weight)
    prune(large, same)
    assert torch.equal(large(CROPS), same(CROPS))


def test_filters_and_units_that_do_nothing_go_first():
    large, small = network(8), network(6, hidden=60)
    with torch.no_grad():
        for block, dead in zip(large.features[::2], ([1, 5], [0, 3, 6, 9], list(range(8))), strict=True):
            block[1].weight[dead] = 0
            block[1].bias[dead] = 0
        large.head.weight[:, :4] = 0
    prune(large, small)
    torch.testing.assert_close(large(CROPS), small(CROPS))


@pytest.mark.parametrize("other", [network(10), network(6, classes=11), build("cnn2", 10, width=4)])
def test_what_is_wider_or_of_other_classes_or_family_cannot_be_cut_out(other):
    assert fits(network(8), network(6)) and not fits(network(8), other)


def test_a_run_that_starts_with_a_wider_network_begins_with_what_is_cut_out_of_it(tmp_path: Path):
    recipe = Recipe(name="large", network=Network(family="digitcnn", width=8, hidden=64))
    start, large, expected, begun = tmp_path / "large.pt", network(8), network(6), network(6)
    checkpoint.save(start, large, recipe, checkpoint.Facts(1, 1.0, {}, (), tuple("0123456789")))
    prune(large, expected)
    torch.nn.init.zeros_(begun.head.weight)
    checkpoint.begin_with(begun, start)
    assert torch.equal(begun(CROPS), expected(CROPS))
    with pytest.raises(ConfigError, match="--start"):
        checkpoint.begin_with(network(10), start)
