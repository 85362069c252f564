"""A prototype's row in a linear layer says what the distance to it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from training.models import build
from training.prototypes import add_class, prototype_head, prototypical_loss

ways_examples_numbers = given(st.integers(2, 6), st.integers(1, 5), st.integers(1, 20), st.integers(0, 10**6))


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_distance(samples, embeddings):
    """Log-probabilities as the paper has them: softmax over -|x - p|²."""
    return functional.log_softmax(-torch.cdist(samples, embeddings.mean(1)).square(), 1)


@ways_examples_numbers
@settings(max_examples=50)
def test_the_layer_gives_the_softmax_over_distances(ways, examples, numbers, seed):
    embeddings, samples = drawn(ways, examples, numbers, seed=seed), drawn(7, numbers, seed=seed + 1)
    with torch.no_grad():
        ours = functional.log_softmax(prototype_head(embeddings)(samples), 1)
    assert torch.allclose(ours, by_distance(samples, embeddings), atol=1e-3)


@ways_examples_numbers
@settings(max_examples=30)
def test_a_class_added_is_as_if_it_had_been_there_from_the_start(ways, examples, numbers, seed):
    embeddings = drawn(ways, examples, numbers, seed=seed)
    before = prototype_head(embeddings[:-1])
    kept = before.weight.clone()
    after, whole = add_class(before, embeddings[-1]), prototype_head(embeddings)
    assert torch.equal(before.weight, kept) and before.out_features == ways - 1
    assert after.out_features == ways and after.in_features == numbers
    assert torch.allclose(after.weight, whole.weight) and torch.allclose(after.bias, whole.bias)


@ways_examples_numbers
@settings(max_examples=30)
def test_an_episode_costs_what_its_queries_distances_say(ways, examples, numbers, seed):
    support, queries = drawn(ways, examples, numbers, seed=seed), drawn(ways, 3, numbers, seed=seed + 1)
    loss, accuracy = prototypical_loss(support, queries)
    likely = by_distance(queries.flatten(0, 1), support)
    labels = torch.tensor([way for way in range(ways) for _ in range(3)])
    assert loss.item() == pytest.approx(functional.nll_loss(likely, labels).item(), rel=1e-3, abs=1e-3)
    assert accuracy == pytest.approx((likely.argmax(1) == labels).float().mean().item())


def test_episodes_teach_examples_and_queries_to_lie_together():
    """Two classes that differ in one number of eight: a linear embedding learns to look at that one."""
    torch.manual_seed(0)
    embed = torch.nn.Linear(8, 4)
    optimiser = torch.optim.Adam(embed.parameters(), 0.05)
    found = []
    for step in range(60):
        samples = drawn(2, 12, 8, seed=step) * 3
        samples[:, :, 0] /= 3
        samples[1, :, 0] += 4
        loss, accuracy = prototypical_loss(embed(samples[:, :4]), embed(samples[:, 4:]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append((loss.item(), accuracy))
    assert sum(loss for loss, _ in found[-10:]) < 0.5 * sum(loss for loss, _ in found[:10])
    assert sum(accuracy for _, accuracy in found[-10:]) / 10 > 0.85


def test_a_network_with_such_a_head_names_its_own_examples():
    torch.manual_seed(0)
    network = build("lenet5", 2).eval()
    shapes = torch.zeros(3, 4, 28, 28, dtype=torch.uint8)
    for i in range(4):
        shapes[0, i, 4:24, 10 + i : 14 + i] = 255
        shapes[1, i, 10 + i : 14 + i, 4:24] = 255
        shapes[2, i, 8 + i : 20 + i, 8:20] = 255
    with torch.no_grad():
        embeddings = network.embed(network.scaled(shapes.flatten(0, 1))).unflatten(0, (3, 4))
        network.head = add_class(prototype_head(embeddings[:2]), embeddings[2])
        assert network(shapes.flatten(0, 1)).argmax(1).tolist() == [0] * 4 + [1] * 4 + [2] * 4
