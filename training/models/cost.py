"""What a network costs where it runs."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from training.models.classifier import Classifier


def multiply_adds(network: Classifier) -> int:
    """Multiplications, each with its addition, that one crop takes: of convolutions and linear layers, beside which the
    rest is little.
    """
    training = network.training
    crop = network.paper(1).to(next(network.parameters()).device)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network.eval()(crop)
    finally:
        network.train(training)
    return int(counter.get_total_flops()) // 2
