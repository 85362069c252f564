"""What tests of looking at a model share: digits of the stroke model, and a small network that reads most of them."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Digits:
    """crops: uint8 [N, 28, 28]; labels: int64 [N]."""

    crops: np.ndarray
    labels: np.ndarray


@pytest.fixture(scope="session")
def stroke_digits() -> Digits:
    """200 digits by 20 writers, ten each."""
    from edge.imaging.normalise import normalise
    from training.synth.strokes import HandStyle, draw_hand

    rng = np.random.default_rng(7)
    hands = [draw_hand(rng, HandStyle(height=24, pen=(0.1, 0.14))) for _ in range(20)]
    crops = np.stack([normalise(hand.digit(label, rng)) for hand in hands for label in range(10)])
    return Digits(crops, np.tile(np.arange(10), 20))


@pytest.fixture(scope="session")
def small_network(stroke_digits):
    """A DigitNet taught a little; it reads most of `stroke_digits`, and not all. Tests leave it as it is."""
    import torch
    from torch.nn import functional

    from training.models import DigitNet

    torch.set_num_threads(1)  # for networks this small, threads that wait for each other cost more than they do
    torch.manual_seed(3)
    network = DigitNet(11, width=8, dropout=0.1)
    optimiser = torch.optim.AdamW(network.parameters(), 4e-3)
    crops, labels = torch.from_numpy(stroke_digits.crops[:150]), torch.from_numpy(stroke_digits.labels[:150])
    for _ in range(6):
        for part in torch.randperm(150).split(30):
            optimiser.zero_grad()
            functional.nll_loss(network(crops[part]), labels[part]).backward()
            optimiser.step()
    return network.eval()
