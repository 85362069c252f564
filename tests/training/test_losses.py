"""Losses are what their papers write, counted one sample at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import CrossEntropyLoss, functional

from training.losses import cross_entropy, distillation, hybrid, margin


@st.composite
def batches(draw):
    """Scores float32 [N, K], labels int64 [N], weights float32 [K] or none."""
    count, classes = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    chance = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    scores = torch.randn(count, classes, generator=chance) * draw(st.sampled_from([0.1, 1.0, 8.0]))
    labels = torch.randint(0, classes, (count,), generator=chance)
    weights = torch.rand(classes, generator=chance) + 0.1 if draw(st.booleans()) else None
    return scores, labels, weights


def weighted(each, labels, weights):
    counts = [1.0 if weights is None else weights[label].item() for label in labels]
    return sum(value * count for value, count in zip(each, counts, strict=True)) / sum(counts)


def near(value):
    return pytest.approx(value, rel=1e-4, abs=1e-5)


@given(batches(), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
@settings(max_examples=60)
def test_cross_entropy_is_torchs_own_of_the_scores_and_so_are_its_gradients(batch, smoothing):
    scores, labels, weights = batch
    ours, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    loss = cross_entropy(functional.log_softmax(ours, 1), labels, smoothing, weights)
    expected = CrossEntropyLoss(weights, label_smoothing=smoothing)(theirs, labels)
    loss.backward()
    expected.backward()
    assert loss.item() == near(expected.item())
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-5)


@given(batches(), st.floats(0, 3), st.booleans())
@settings(max_examples=80)
def test_margin_is_what_others_lack_of_their_distance(batch, distance, all_others):
    scores, labels, weights = batch
    log_probs = functional.log_softmax(scores, 1)
    each = []
    for row, label in zip(log_probs.tolist(), labels.tolist(), strict=True):
        short = [max(0.0, distance + other - row[label]) for k, other in enumerate(row) if k != label]
        each.append(sum(short) if all_others else max(short))
    loss = margin(log_probs, labels, distance, all_others, weights)
    assert loss.item() == near(weighted(each, labels, weights))
    assert margin(scores, labels, distance, all_others, weights).item() == near(loss.item())


def test_a_label_that_leads_by_the_margin_costs_nothing_and_one_that_does_not_is_pushed():
    scores = torch.tensor([[3.0, 2.5, 0.0], [3.0, 2.8, 0.0]], requires_grad=True)
    loss = margin(functional.log_softmax(scores, 1), torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == near((0 + 0.2) / 2)
    assert torch.allclose(scores.grad, torch.tensor([[0.0, 0.0, 0.0], [-0.5, 0.5, 0.0]]), atol=1e-6)


@given(batches(), st.sampled_from([0.0, 0.1]), st.booleans())
@settings(max_examples=40)
def test_hybrid_is_cross_entropy_and_a_tenth_of_the_margin(batch, smoothing, all_others):
    scores, labels, weights = batch
    log_probs = functional.log_softmax(scores, 1)
    parts = cross_entropy(log_probs, labels, smoothing, weights), margin(log_probs, labels, 0.4, all_others, weights)
    both = hybrid(log_probs, labels, smoothing, weights, all_others=all_others)
    assert both.item() == near(parts[0].item() + 0.1 * parts[1].item())


@given(batches(), st.floats(0.5, 8), st.floats(0, 1))
@settings(max_examples=60)
def test_distillation_is_the_divergence_at_the_temperature_and_the_labels(batch, temperature, share):
    scores, labels, weights = batch
    teacher_scores = scores.flip(1) * 0.7 + 0.3
    each = []
    for row, other in zip(scores.double(), teacher_scores.double(), strict=True):
        student, teacher = (functional.softmax(x / temperature, 0).tolist() for x in (row, other))
        each.append(temperature**2 * sum(t * math.log(t / s) for s, t in zip(student, teacher, strict=True) if t > 0))
    hard = cross_entropy(functional.log_softmax(scores, 1), labels, weights=weights).item()
    expected = share * weighted(each, labels, weights) + (1 - share) * hard
    log_probs, teacher_log_probs = functional.log_softmax(scores, 1), functional.log_softmax(teacher_scores, 1)
    loss = distillation(log_probs, teacher_log_probs, labels, temperature, share, weights)
    assert loss.item() == pytest.approx(expected, rel=1e-3, abs=1e-4)


@given(batches())
@settings(max_examples=30)
def test_a_student_like_its_teacher_has_nothing_more_to_learn_of_it(batch):
    scores, labels, _ = batch
    student, teacher = (functional.log_softmax(scores, 1).requires_grad_() for _ in range(2))
    loss = distillation(student, teacher, labels, share=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert student.grad.abs().max() < 1e-4 and teacher.grad is None


def test_a_high_temperature_still_moves_a_student_as_much():
    """As Hinton finds for scores about zero: the gradient tends to the difference of the scores over the classes."""
    generator = torch.Generator().manual_seed(0)
    scores, other = torch.randn(2, 1, 5, generator=generator)
    scores, other = scores - scores.mean(), other - other.mean()
    scores.requires_grad_()
    distillation(
        functional.log_softmax(scores, 1), functional.log_softmax(other, 1), torch.tensor([0]), 100, 1
    ).backward()
    assert torch.allclose(scores.grad, (scores - other).detach() / 5, atol=0.02)


@pytest.mark.parametrize("loss", [cross_entropy, margin, hybrid])
def test_a_class_that_counts_nothing_teaches_nothing(loss):
    log_probs = functional.log_softmax(torch.tensor([[0.0, 1.0], [2.0, 0.5]]), 1).requires_grad_()
    loss(log_probs, torch.tensor([0, 1]), weights=torch.tensor([1.0, 0.0])).backward()
    assert log_probs.grad[0].abs().max() > 0 and log_probs.grad[1].abs().max() < 1e-6
