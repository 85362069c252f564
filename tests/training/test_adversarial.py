"""Attacks stay within their bounds, do what they are for, and leave the network alone."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.adversarial import EPSILONS, costs, fgsm, pgd, robustness, table
from training.models import FAMILIES

ATTACKS = [fgsm, pgd]


def inputs(network, digits):
    return network.scaled(torch.from_numpy(digits.crops)), torch.from_numpy(digits.labels)


def loss_of(network, x, labels):
    with torch.no_grad():
        return float(functional.cross_entropy(network.scores(x), labels))


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("epsilon", [0.05, 0.3, 1.0])
def test_no_pixel_changes_by_more_than_epsilon_or_leaves_the_scale(small_network, stroke_digits, attack, epsilon):
    x, labels = inputs(small_network, stroke_digits)
    before = x.clone()
    changed = attack(small_network, x, labels, epsilon)
    assert float((changed - x).abs().max()) == pytest.approx(epsilon, abs=1e-5)
    assert changed.shape == x.shape and changed.min() >= 0 and changed.max() <= 1
    assert torch.equal(x, before) and not changed.requires_grad


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_raises_the_loss_more_than_noise_of_the_same_size(small_network, stroke_digits, attack):
    x, labels = inputs(small_network, stroke_digits)
    noise = (x + 0.1 * torch.sign(torch.randn(x.shape, generator=torch.Generator().manual_seed(1)))).clamp(0, 1)
    attacked = loss_of(small_network, attack(small_network, x, labels, 0.1), labels)
    assert attacked > loss_of(small_network, noise, labels) + 0.2 > loss_of(small_network, x, labels)


def test_fgsm_is_one_step_along_the_sign_of_the_gradient(small_network, stroke_digits):
    x, labels = inputs(small_network, stroke_digits)
    asked = x.clone().requires_grad_(True)
    functional.cross_entropy(small_network.scores(asked), labels).backward()
    expected = (x + 0.1 * asked.grad.sign()).clamp(0, 1)
    small_network.zero_grad(set_to_none=True)
    # A gradient of almost nothing may round to either sign.
    assert (fgsm(small_network, x, labels, 0.1) - expected).abs().lt(1e-6).float().mean() > 0.999


def test_the_loss_that_is_named_is_the_one_raised(small_network, stroke_digits):
    x, labels = inputs(small_network, stroke_digits)
    lowered = fgsm(small_network, x, labels, 0.1, lambda log_probs, labels: -functional.nll_loss(log_probs, labels))
    assert loss_of(small_network, lowered, labels) < loss_of(small_network, x, labels)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_modes_and_running_means_stay_as_they_were(small_network, stroke_digits, attack, training):
    network = copy.deepcopy(small_network).train(training)
    network.features[0].eval()  # a frozen trunk has a mode of its own
    for number, parameter in enumerate(network.parameters()):
        parameter.grad = torch.full_like(parameter, number)
    network.head.weight.requires_grad_(False)
    modes = [part.training for part in network.modules()]
    weights = copy.deepcopy(network.state_dict())
    x, labels = inputs(network, stroke_digits)
    with torch.no_grad():  # whoever asks for a changed picture may be measuring
        attack(network, x, labels, 0.1)
        assert not torch.is_grad_enabled()
    assert [part.training for part in network.modules()] == modes
    assert all((p.grad == number).all() for number, p in enumerate(network.parameters()))
    assert not network.head.weight.requires_grad and network.features[1][0].weight.requires_grad
    assert all(torch.equal(weight, weights[name]) for name, weight in network.state_dict().items())


def test_an_attack_inside_a_training_step_leaves_the_step_right(small_network, stroke_digits):
    network = copy.deepcopy(small_network).train()
    x, labels = inputs(network, stroke_digits)
    log_probs = functional.log_softmax(network.scores(fgsm(network, x, labels, 0.1)), dim=1)
    functional.nll_loss(log_probs, labels).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_more_epsilon_costs_more_and_pgd_at_least_as_much_as_fgsm(small_network, stroke_digits):
    found = robustness(small_network, stroke_digits.crops, stroke_digits.labels)
    assert tuple(one.epsilon for one in found) == EPSILONS and all(one.count == 200 for one in found)
    with torch.no_grad():
        said = small_network(torch.from_numpy(stroke_digits.crops)).argmax(1).numpy()
    assert found[0].fgsm == found[0].pgd == pytest.approx((said == stroke_digits.labels).mean())
    assert found[0].fgsm > 0.6 and found[-1].pgd < 0.3
    noise = 0.02
    for one, more in pairwise(found):
        assert more.pgd <= one.pgd + noise
    assert all(one.pgd <= one.fgsm + noise for one in found)


def test_stopping_where_a_digit_is_mistaken_counts_as_going_on_does(small_network, stroke_digits):
    x, labels = inputs(small_network, stroke_digits)
    right = []
    for until_wrong in (False, True):
        generator = torch.Generator().manual_seed(5)
        changed = pgd(small_network, x, labels, 0.1, generator=generator, until_wrong=until_wrong)
        assert (changed - x).abs().max() <= 0.1 + 1e-6
        with torch.no_grad():
            right.append(float((small_network.scores(changed).argmax(1) == labels).float().mean()))
    assert right[1] <= right[0] and right[0] - right[1] < 0.05


def test_the_same_digits_give_the_same_figures(small_network, stroke_digits):
    once, again = (robustness(small_network, stroke_digits.crops[:60], stroke_digits.labels[:60]) for _ in range(2))
    assert once == again


def test_the_batch_a_digit_is_in_does_not_matter_to_fgsm(small_network, stroke_digits, monkeypatch):
    found = []
    for batch in (7, 1000):
        monkeypatch.setattr("training.adversarial._BATCH", batch)
        found.append(robustness(small_network, stroke_digits.crops, stroke_digits.labels, (0.05,), steps=1))
    assert found[0][0].fgsm == pytest.approx(found[1][0].fgsm, abs=0.006)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_every_family_can_be_attacked(family, size, channels):
    network = FAMILIES[family](11, size, channels)
    shape = (4, size, size) if channels == 1 else (4, size, size, channels)
    crops = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    (found,) = robustness(network, crops, np.arange(4), (0.1,), steps=2)
    assert 0 <= found.pgd <= 1 and found.count == 4


def test_what_it_costs_has_a_name_for_the_model_card_for_each_attack_and_epsilon(small_network, stroke_digits):
    crops, labels = stroke_digits.crops[:50], stroke_digits.labels[:50].astype(np.uint8)
    said = costs(small_network, crops, labels, "strokes", (0.0, 0.05, 0.1))
    assert list(said) == ["strokes, FGSM 0.05", "strokes, FGSM 0.1", "strokes, PGD 0.05", "strokes, PGD 0.1"]
    found = robustness(small_network, crops, labels, (0.05, 0.1))
    assert list(said.values()) == [*(one.fgsm for one in found), *(one.pgd for one in found)]


def test_the_table_says_how_it_was_measured(small_network, stroke_digits):
    found = robustness(small_network, stroke_digits.crops[:50], stroke_digits.labels[:50], (0.0, 0.2))
    lines = table(found).splitlines()
    assert len(lines) == 4 and lines[1].split()[0] == "0" and lines[2].split()[0] == "0.2"
    assert f"{found[1].fgsm:.2%}" in lines[2] and f"{found[1].pgd:.2%}" in lines[2]
    assert "first 50 digits" in lines[3] and "20 steps of 0.125 epsilon" in lines[3]
