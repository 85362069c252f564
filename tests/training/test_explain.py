"""Grad-CAM shows what spoke for an answer, at its place, and leaves the network as it was."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from training.explain import grad_cam
from training.models import FAMILIES, Classifier


class Spots(Classifier):
    """One convolution that copies its picture, averaged: what speaks for label 1 is ink, wherever it is."""

    def __init__(self, pooled: bool = True) -> None:
        super().__init__(2, 28)
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU(inplace=True))
        self.pooled = pooled
        self.head = nn.Linear(2 if pooled else 2 * 28 * 28, 2, bias=False)
        with torch.no_grad():
            self.features[0].weight.zero_()
            self.features[0].weight[0, 0, 1, 1] = 1
            self.head.weight.zero_()
            self.head.weight[1] += 1 if pooled else 0
            if not pooled:  # ink on the left speaks for 1, on the right against it
                self.head.weight[1, : 28 * 28] = torch.tensor([1.0] * 14 + [-1.0] * 14).repeat(28)

    def embed(self, x):
        maps = self.features(x)
        return maps.mean((2, 3)) if self.pooled else maps.flatten(1)


@pytest.mark.parametrize("averaged", [True, False])
def test_what_speaks_for_the_answer_is_warm_and_nothing_else_is(averaged):
    crops = np.zeros((2, 28, 28), np.uint8)
    crops[0, 3:8, 4:9] = 255
    crops[1, 20:25, 15:20] = 200
    heat = grad_cam(Spots(), crops, np.array([1, 1]), averaged)
    assert heat.shape == (2, 28, 28) and heat.dtype == np.float32
    assert np.array_equal(heat > 0.5, crops > 0) and heat.max(axis=(1, 2)) == pytest.approx(1)


def test_nothing_speaks_for_a_label_that_the_ink_says_nothing_of():
    crops = np.full((1, 28, 28), 255, np.uint8)
    assert not grad_cam(Spots(), crops, np.array([0])).any()


def test_where_the_head_weighs_places_only_hirescam_tells_them_apart():
    crops = np.full((1, 28, 28), 255, np.uint8)
    by_place = grad_cam(Spots(pooled=False), crops, np.array([1]), averaged=False)[0]
    assert by_place[:, :14].min() == 1 and by_place[:, 14:].max() == 0
    assert np.ptp(grad_cam(Spots(pooled=False), crops, np.array([1]))) < 1e-6


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_every_family_with_a_convolution_can_be_looked_into(family, size, channels):
    network = FAMILIES[family](11, size, channels)
    shape = (5, size, size) if channels == 1 else (5, size, size, channels)
    crops = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    heat = grad_cam(network, crops, np.arange(5), averaged=False)
    if not any(isinstance(part, nn.Conv2d) for part in network.modules()):
        assert heat is None
        return
    assert heat.shape == (5, size, size) and np.isfinite(heat).all() and heat.min() >= 0 and heat.max() <= 1 + 1e-6
    assert np.ptp(heat) > 0.1  # of a map of several places, not of attention's one


def test_a_network_without_a_convolution_has_no_places():
    assert grad_cam(FAMILIES["mlp"](11), np.zeros((2, 28, 28), np.uint8), np.array([0, 1])) is None


def test_no_crops_have_no_heat(small_network):
    assert grad_cam(small_network, np.zeros((0, 28, 28), np.uint8), np.zeros(0, int)).shape == (0, 28, 28)


@pytest.mark.parametrize("frozen", [True, False])
def test_modes_gradients_and_hooks_stay_as_they_were(small_network, stroke_digits, frozen):
    network = copy.deepcopy(small_network).train()
    network.head.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(not frozen)
    weights = copy.deepcopy(network.state_dict())
    modes = [part.training for part in network.modules()]
    with torch.no_grad():
        assert grad_cam(network, stroke_digits.crops[:8], stroke_digits.labels[:8]) is not None
    assert [part.training for part in network.modules()] == modes
    assert all(parameter.grad is None and parameter.requires_grad is not frozen for parameter in network.parameters())
    assert all(torch.equal(weight, weights[name]) for name, weight in network.state_dict().items())
    assert not any(part._forward_hooks for part in network.modules())


def test_heat_is_that_of_the_digit_alone_whatever_batch_it_is_in(small_network, stroke_digits, monkeypatch):
    crops, labels = stroke_digits.crops[:9], stroke_digits.labels[:9]
    together = grad_cam(small_network, crops, labels)
    monkeypatch.setattr("training.explain._BATCH", 4)
    assert np.abs(grad_cam(small_network, crops, labels) - together).max() < 1e-3
