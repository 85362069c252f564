"""Digits changed on purpose, so little that the eye hardly minds, to be taken for others.

FGSM: Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", 2015: one step along the sign of
the loss's gradient. PGD: Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018: many
small ones from a random start, each followed by the way back into the allowed box.

Pictures are what `Classifier.scaled` gives, float32 [N, C, S, S] in [0, 1], and stay in [0, 1]; epsilon is the most
that a pixel changes, as a share of full scale. They are not rounded to the 256 levels of a real picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from edge.arrays import U8
from training.models import Classifier
from training.modes import evaluating

Loss = Callable[[Tensor, Tensor], Tensor]
"""Log-probabilities float32 [N, K] and labels int64 [N] to one number, the greater the worse."""

EPSILONS = (0.0, 0.05, 0.1, 0.2, 0.3)
STEPS = 20
REACH = 2.5
"""How far PGD's steps go together, in epsilons: to any corner of the box, and a way back."""
ATTACKED = 2000
"""Digits of a test set that are attacked where nothing else is asked for: PGD reads each up to 20 times, and back."""

_BATCH = 250


@dataclass(frozen=True)
class Attacked:
    """Shares right, in [0, 1], of `count` digits that were changed by at most `epsilon`."""

    epsilon: float
    count: int
    fgsm: float
    pgd: float


def fgsm(network: Classifier, x: Tensor, labels: Tensor, epsilon: float, loss: Loss = functional.nll_loss) -> Tensor:
    """x changed by one step, without gradients. labels: int64 [N].

    For use inside a training step too: the network's modes, running means and its parameters' gradients stay as they
    were. It is asked in evaluation mode, without dropout.
    """
    with evaluating(network):
        slope, _ = _slope(network, x, labels, loss)
        return (x + epsilon * slope.sign()).clamp(0, 1)


def pgd(
    network: Classifier,
    x: Tensor,
    labels: Tensor,
    epsilon: float,
    loss: Loss = functional.nll_loss,
    steps: int = STEPS,
    generator: torch.Generator | None = None,
    until_wrong: bool = False,
) -> Tensor:
    """x changed by `steps` steps of REACH * epsilon / steps each; all else as `fgsm`.

    generator: draws the start; None takes torch's own. until_wrong: leave each picture where it is first taken for
    something else, which is all that counting needs, and several times as fast.
    """
    step = REACH * epsilon / steps
    low, high = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
    noise = torch.rand(x.shape, generator=generator).to(x)
    with evaluating(network):
        changed = low + (high - low) * noise
        going = torch.arange(len(x), device=x.device)
        for _ in range(steps):
            slope, right = _slope(network, changed[going], labels[going], loss)
            if until_wrong:
                going, slope = going[right], slope[right]
            if not len(going):
                break
            moved = changed[going] + step * slope.sign()
            changed[going] = moved.clamp(low[going], high[going])
    return changed


def robustness(
    network: Classifier, crops: U8, labels: np.ndarray, epsilons: Sequence[float] = EPSILONS, steps: int = STEPS
) -> tuple[Attacked, ...]:
    """How many digits stay right, for each epsilon. The same each time. PGD's count where no step made them wrong.

    crops: uint8 [N, S, S] or [N, S, S, C]; labels: integers [N], indices of the network's answers.
    """
    count = len(crops)
    generator = torch.Generator().manual_seed(0)
    right = {epsilon: [0, 0] for epsilon in epsilons}
    device = next(network.parameters()).device
    total = len(right) * count
    with tqdm(total=total, desc="attacking", unit="digit", dynamic_ncols=True, leave=False, disable=None) as progress:
        for start in range(0, count, _BATCH):
            part = torch.from_numpy(crops[start : start + _BATCH]).to(device)
            truth = torch.from_numpy(np.asarray(labels[start : start + _BATCH], np.int64)).to(device)
            x = network.scaled(part)
            for epsilon, sums in right.items():
                once = fgsm(network, x, truth, epsilon)
                sums[0] += _right(network, once, truth)
                often = once  # at 0 they are the same
                if epsilon:
                    often = pgd(network, x, truth, epsilon, steps=steps, generator=generator, until_wrong=True)
                sums[1] += _right(network, often, truth)
                progress.update(len(part))
    return tuple(Attacked(epsilon, count, one / count, many / count) for epsilon, (one, many) in right.items())


def costs(
    network: Classifier,
    crops: U8,
    labels: np.ndarray,
    data: str = "mnist test",
    epsilons: Sequence[float] = EPSILONS,
    steps: int = STEPS,
) -> dict[str, float]:
    """For the model card: "mnist test, FGSM 0.1" and the like -> share right, in [0, 1]. Arguments as `robustness`."""
    found = robustness(network, crops, labels, [epsilon for epsilon in epsilons if epsilon], steps)
    return {f"{data}, FGSM {one.epsilon:g}": one.fgsm for one in found} | {
        f"{data}, PGD {one.epsilon:g}": one.pgd for one in found
    }


def table(found: Sequence[Attacked], steps: int = STEPS) -> str:
    """The same for people."""
    lines = ["epsilon  right under FGSM  right under PGD"]
    lines += [f"{one.epsilon:>7g}  {one.fgsm:>16.2%}  {one.pgd:>15.2%}" for one in found]
    lines.append(f"of the first {found[0].count} digits; {method(steps)}")
    return "\n".join(lines)


def method(steps: int = STEPS) -> str:
    return f"PGD from a random start in {steps} steps of {REACH / steps:g} epsilon; epsilon as a share of full scale"


def _right(network: Classifier, x: Tensor, labels: Tensor) -> int:
    with evaluating(network), torch.no_grad():
        return int((network.scores(x).argmax(1) == labels).sum())


def _slope(network: Classifier, x: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """(the loss's gradient by x, which of x are taken for what they are: bool [N]).

    Only that gradient is computed: parameters keep what they have in `.grad`.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        scores = network.scores(x)
        (slope,) = torch.autograd.grad(loss(functional.log_softmax(scores, dim=1), labels), x)
    return slope, scores.detach().argmax(1) == labels
