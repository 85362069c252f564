"""Several processes that train one network, a part of each batch each. Two on this machine:

    torchrun --nproc-per-node 2 --no-python digitd train --recipe digitcnn

More machines, as `torchrun --help` says. A batch is the recipe's, whatever the number of processes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """rank: of this process among `world`; the first writes, shows and measures. device: what it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def shared(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over all processes."""
        if self.world == 1:
            return network
        return DistributedDataParallel(network, [self.device.index] if self.device.type == "cuda" else None)

    def agreed(self, value: T | None) -> T:
        """The first process's value, which the others need not have."""
        told = [value]
        if self.world > 1:
            distributed.broadcast_object_list(told, 0)
        assert told[0] is not None
        return told[0]


@contextmanager
def place(device: str = "auto") -> Iterator[Place]:
    """Where this process stands, by what `torchrun` told it; alone without. device: auto, cpu, cuda."""
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Place(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    here = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if cuda else "cpu")
    if cuda:
        torch.cuda.set_device(here)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Place(distributed.get_rank(), world, here)
        distributed.barrier()  # one that leaves while the first still writes and draws may abort
    finally:
        distributed.destroy_process_group()
