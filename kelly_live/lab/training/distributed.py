"""One process or several: `torchrun` starts the same command many times, and each is a rank that does its share.

Every rank must see the same manifests and the same cache folder: on several machines, a shared one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many this process is, and where it trains. Alone, everything here does nothing."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009  (immutable)

    @property
    def is_first(self) -> bool:
        """Whether this is the one that measures, writes and speaks."""
        return self.rank == 0

    def restrict_log(self, log: Callable[[str], None]) -> Callable[[str], None]:
        return log if self.is_first else lambda line: None

    def wrap(self, module: nn.Module) -> nn.Module:
        """The same module, its gradients averaged over all ranks and its weights made those of the first."""
        if self.count == 1:
            return module
        own = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=own, forward_sync_buffers=False)

    def wait(self) -> None:
        """Until every rank is here."""
        if self.count > 1:
            distributed.barrier()

    @contextmanager
    def run_first_rank_first(self) -> Iterator[None]:
        """What is computed once and kept in the cache: the first rank does it, the others then find it."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def broadcast_first(self, value: float) -> float:
        """The first rank's value, on every rank."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared)

    def gather_texts(self, text: str) -> list[str]:
        """Every rank's text, on every rank."""
        texts = [text] * self.count
        if self.count > 1:
            distributed.all_gather_object(texts, text)
        return texts


SINGLE_PROCESS = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """As torchrun's environment says (gloo on CPUs, nccl on GPUs, one each); alone, on the CPU, without it."""
    if "LOCAL_RANK" not in os.environ:
        yield Ranks()
        return
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    ranks = Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    try:
        yield ranks
        ranks.wait()  # a rank that leaves while another still works was seen to abort in gloo's threads
    finally:
        distributed.destroy_process_group()
