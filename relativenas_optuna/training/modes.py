"""What holds while a network runs: training or evaluation, and the type that it computes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn


def autocasting(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Automatic mixed precision in that type; `None`: none."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


@contextmanager
def mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Sets the mode of all modules, and on leaving gives each its own mode back."""
    modes = [(part, part.training) for part in module.modules()]
    others = [part for part, before in modes if before != training]
    if others:
        module.train(training)
    try:
        yield
    finally:
        if others:
            for part, before in modes:
                # A supernet has thousands of parts, and a module's own way to set one is slow.
                object.__setattr__(part, "training", before)
