"""Where a network looked.

Grad-CAM: Selvaraju et al., "Grad-CAM: visual explanations from deep networks", 2017. It averages the gradients of each
map over the picture, which suits networks that average their maps themselves. Where the head weighs places one by one,
as in most networks here, the averages can cancel out, and little or the wrong place is shown. HiResCAM (Draelos and
Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks", 2021) multiplies
place by place, and is the same for the former.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.arrays import F32, U8
from training.models import Classifier
from training.modes import evaluating

_BATCH = 256

# What belongs to a convolution and keeps the size of its maps: they are taken behind it, as the next layer sees them.
_FOLLOWING = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish)


def grad_cam(network: Classifier, crops: U8, answers: np.ndarray, averaged: bool = True) -> F32 | None:
    """float32 [N, S, S], 0 to 1 where something spoke for the answer: how much each pixel's surroundings did.

    crops: uint8 [N, S, S] or [N, S, S, C]; answers: integers [N], indices of the network's outputs. averaged: Grad-CAM,
    else HiResCAM. None for a network without convolutions, whose layers have no places. The network's modes and
    gradients stay as they were.
    """
    seen = _Maps()
    hooks = [part.register_forward_hook(seen.note) for part in network.modules() if not list(part.children())]
    heats = []
    try:
        for start in range(0, len(crops), _BATCH):
            part = torch.from_numpy(crops[start : start + _BATCH]).to(next(network.parameters()).device)
            chosen = torch.from_numpy(np.asarray(answers[start : start + _BATCH], np.int64)).to(part.device)
            seen.last, seen.open = None, False
            with evaluating(network), torch.enable_grad():
                # The pictures need gradients for the maps to have them where a trunk is frozen.
                scores = network.scores(network.scaled(part).requires_grad_(True))
                if seen.last is None:
                    return None
                (slopes,) = torch.autograd.grad(scores.gather(1, chosen[:, None]).sum(), seen.last)
            heats.append(_heat(seen.last.detach(), slopes, network.size, averaged))
    finally:
        for hook in hooks:
            hook.remove()
    return np.concatenate(heats) if heats else np.zeros((0, network.size, network.size), np.float32)


@dataclass
class _Maps:
    """The maps of the last convolution to have run, float32 [N, maps, h, w], behind its normalisation and activation.

    One that gives a single map or a single place, as attention's do, is passed over: it says where or what, not both.
    """

    last: Tensor | None = None
    open: bool = False

    def note(self, module: nn.Module, _: tuple[Tensor, ...], out: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            self.open = out.shape[1] > 1 and out.shape[2] * out.shape[3] > 1
            if self.open:
                self.last = out
        elif self.open and isinstance(module, _FOLLOWING):
            self.last = out
        else:
            self.open = False


def _heat(maps: Tensor, slopes: Tensor, size: int, averaged: bool) -> F32:
    weights = slopes.mean((2, 3), keepdim=True) if averaged else slopes
    heat = functional.relu((weights * maps).sum(1, keepdim=True))
    heat = functional.interpolate(heat, (size, size), mode="bilinear", align_corners=False)[:, 0]
    strongest = heat.amax((1, 2), keepdim=True)
    spread: F32 = (heat / strongest.clamp_min(1e-12)).cpu().numpy()
    return spread
