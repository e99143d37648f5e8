"""Train one network in several processes that torchrun has started."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from relativenas_optuna.exceptions import SearchError

T = TypeVar("T")


def local_rank() -> int:
    """Return the number of this process among those of this machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def process_count() -> int:
    """Return the number of processes that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def _sync_buffers() -> str:
    """Return torch's name for the argument; newer versions warn of the older name."""
    known = signature(DistributedDataParallel.__init__).parameters
    return next(name for name in ("forward_sync_buffers", "broadcast_buffers") if name in known)


@dataclass(frozen=True, kw_only=True)
class ProcessGroup:
    """The processes that train one network together.

    Attributes:
        device: Device of this process.
        processes: Number of processes.
        process: Number of this process, from 0.
    """

    device: torch.device
    processes: int = 1
    process: int = 0

    @property
    def writes_files(self) -> bool:
        """True if this process writes the files."""
        return self.process == 0

    def data_parallel(self, network: nn.Module, *, unused: bool) -> nn.Module:
        """Wrap a network so that its gradients are the means over all processes.

        Args:
            network: Network with the same weights in every process.
            unused: True if the network has parameters that no output depends on.
        """
        if self.processes == 1:
            return network
        # Buffers are averaged after each epoch, not before each step; see `average_buffers`.
        options: dict[str, Any] = {_sync_buffers(): False, "find_unused_parameters": unused}
        return DistributedDataParallel(network, **options)

    def no_sync(self, network: nn.Module) -> Callable[[], AbstractContextManager[object]]:
        """Return a context manager in which a wrapped network does not exchange gradients."""
        return network.no_sync if isinstance(network, DistributedDataParallel) else nullcontext

    def sums(self, numbers: Sequence[float]) -> list[float]:
        """Return the sum of each number over all processes."""
        if self.processes == 1:
            return list(numbers)
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        tensor = torch.tensor(numbers, dtype=kind, device=self.device)
        dist.all_reduce(tensor)
        return [float(number) for number in tensor.tolist()]

    def means(self, own: Sequence[float], count: int) -> list[float]:
        """Return the means over the images of all processes.

        Args:
            own: Means over the images of this process.
            count: Number of these images; 0 if there are fewer images than processes.
        """
        if self.processes == 1:
            return list(own)
        *sums, images = self.sums([*(mean * count for mean in own), count])
        return [found / images for found in sums]

    def gathered(self, own: T) -> list[T]:
        """Return the objects of all processes in order, in every process.

        Args:
            own: Object of this process, which can be pickled.
        """
        if self.processes == 1:
            return [own]
        found: list[Any] = [None] * self.processes
        dist.all_gather_object(found, own)
        return found

    def average_buffers(self, network: nn.Module) -> None:
        """Replace the running statistics of batch norms by their means over all processes."""
        if self.processes == 1:
            return
        running = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        flat = torch.cat([buffer.reshape(-1) for buffer in running])
        dist.all_reduce(flat)
        flat /= self.processes
        means = torch.split(flat, [buffer.numel() for buffer in running])
        for buffer, mean in zip(running, means, strict=True):
            buffer.copy_(mean.view_as(buffer))

    def require_same_number(self, number: int, what: str) -> None:
        """Raise if a number differs between processes, because they see different files.

        Args:
            number: Number that this process sees.
            what: Noun phrase for what was counted, for the message.

        Raises:
            SearchError: The number differs between processes.
        """
        if self.sums([number])[0] != number * self.processes:
            raise SearchError(
                f"process {self.process} of {self.processes} sees {number} {what}, but others see "
                f"another number: --out must be a folder that all processes share"
            )


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Join the other processes if torchrun started several, and leave them at exit.

    Args:
        device: Device of this process; GPUs use NCCL, other devices gloo.
    """
    if dist.is_initialized():
        yield ProcessGroup(device=device, processes=dist.get_world_size(), process=dist.get_rank())
        return
    if process_count() == 1:
        yield ProcessGroup(device=device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        with warnings.catch_warnings():
            # Harmless: a kernel with one channel is the same in every memory format.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            yield ProcessGroup(
                device=device, processes=dist.get_world_size(), process=dist.get_rank()
            )
    finally:
        dist.destroy_process_group()
