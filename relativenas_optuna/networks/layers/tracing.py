"""Detection of torch's export, compilation and tracing."""

from __future__ import annotations

from typing import Any

import torch

_JIT: Any = torch.jit  # has no types


def is_traced() -> bool:
    """Return True while torch.export, torch.compile or torch.jit.trace records a network.

    A recorded program must accept batches of any size, and has gradients of its own.
    """
    return torch.compiler.is_compiling() or bool(_JIT.is_tracing())
