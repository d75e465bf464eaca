"""Training in one process or several: `torchrun` starts the same command in each, as one rank.

Every rank must see the same manifests and the same cache folder; on several machines, a shared one.
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
    """The rank of this process, the number of ranks, and the device to train on.

    In a single process, all methods do nothing.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009  (immutable)

    @property
    def is_first(self) -> bool:
        """Whether this rank evaluates, writes and logs."""
        return self.rank == 0

    def restrict_log(self, log: Callable[[str], None]) -> Callable[[str], None]:
        """Return `log` on the first rank, and a function that does nothing on the others."""
        return log if self.is_first else lambda line: None

    def wrap(self, module: nn.Module) -> nn.Module:
        """Wrap a module so that its gradients are averaged over all ranks.

        Its weights become the first rank's.
        """
        if self.count == 1:
            return module
        device_ids = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=device_ids, forward_sync_buffers=False)

    def wait(self) -> None:
        """Wait until every rank is here."""
        if self.count > 1:
            distributed.barrier()

    @contextmanager
    def run_first_rank_first(self) -> Iterator[None]:
        """Run the block on the first rank, then on the others, which find its results in the cache."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def broadcast_first(self, value: float) -> float:
        """Return the first rank's value on every rank."""
        if self.count == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(tensor, 0)
        return float(tensor)

    def gather_texts(self, text: str) -> list[str]:
        """Return every rank's text on every rank."""
        texts = [text] * self.count
        if self.count > 1:
            distributed.all_gather_object(texts, text)
        return texts


SINGLE_PROCESS = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Join the process group of torchrun's environment, or run alone on the CPU.

    The back end is gloo on CPUs and nccl on GPUs, one for each rank.
    """
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
