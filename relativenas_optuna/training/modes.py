"""Set the mode and the precision in which a network runs, and restore them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn


def autocasting(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Return a context manager for automatic mixed precision in `dtype`; None switches it off."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


@contextmanager
def mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a module into training or evaluation mode, and restore the mode of each part at exit."""
    modes = [(part, part.training) for part in module.modules()]
    others = [part for part, before in modes if before != training]
    if others:
        module.train(training)
    try:
        yield
    finally:
        if others:
            for part, before in modes:
                # Module.__setattr__ is slow, and a supernet has thousands of parts.
                object.__setattr__(part, "training", before)
