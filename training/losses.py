"""Losses of log-probabilities float32 [N, K], normalised over K, and labels int64 [N].

`weights`, float32 [K], says what a sample of each class counts; none: all the same. Means over a batch are over what
its samples count, which must not be nothing.
"""

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(log_probs: Tensor, labels: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """smoothing: share of a label's probability that is spread over all classes (Szegedy et al. 2016), as torch's
    CrossEntropyLoss counts it. That normalises once more, which leaves log-probabilities as they are.
    """
    return functional.cross_entropy(log_probs, labels, weights, label_smoothing=smoothing)


def margin(
    log_probs: Tensor,
    labels: Tensor,
    margin: float = 0.4,
    all_others: bool = False,
    weights: Tensor | None = None,
) -> Tensor:
    """By how much the likeliest other class falls short of lying `margin` below the label, in log-probability: the mean
    of relu(margin + the other's - the label's), the hinge of Crammer and Singer 2001.

    all_others: the sum over all other classes in place of the likeliest (Weston and Watkins 1999), as DBRHB has it. Of
    differences of log-probabilities the normalisation falls out: these are those of the scores.
    """
    own = log_probs.gather(1, labels[:, None])
    short = functional.relu(margin + log_probs - own)
    short = short.scatter(1, labels[:, None], 0.0)
    each = short.sum(1) if all_others else short.amax(1)
    return _mean(each, labels, weights)


def hybrid(
    log_probs: Tensor,
    labels: Tensor,
    smoothing: float = 0.0,
    weights: Tensor | None = None,
    share: float = 0.1,
    distance: float = 0.4,
    all_others: bool = False,
) -> Tensor:
    """DBRHB's: the cross-entropy and `share` of `margin`'s loss at `distance`."""
    apart = margin(log_probs, labels, distance, all_others, weights)
    return cross_entropy(log_probs, labels, smoothing, weights) + share * apart


def distillation(
    log_probs: Tensor,
    teacher_log_probs: Tensor,
    labels: Tensor,
    temperature: float = 2.0,
    share: float = 0.5,
    weights: Tensor | None = None,
) -> Tensor:
    """`share` of what the student's probabilities lack of the teacher's, both at `temperature`, and the rest the
    cross-entropy: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.

    The divergence stands for Hinton's cross-entropy of the two, less a constant, so that 0 is reached. Times the
    temperature squared, as there, since its gradients shrink with that. The teacher learns nothing.
    """
    student = functional.log_softmax(log_probs / temperature, 1)
    teacher = functional.log_softmax(teacher_log_probs.detach() / temperature, 1)
    each = functional.kl_div(student, teacher, reduction="none", log_target=True).sum(1) * temperature**2
    return share * _mean(each, labels, weights) + (1 - share) * cross_entropy(log_probs, labels, 0.0, weights)


def _mean(each: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return each.mean()
    counts = weights[labels]
    return torch.dot(each, counts) / counts.sum()
