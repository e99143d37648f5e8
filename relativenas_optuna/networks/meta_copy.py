"""Copies of networks on the meta device, which compute shapes and no values."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn


def meta_copy(module: nn.Module) -> nn.Module:
    """Copy a network to the meta device, without its values and without its forward hooks.

    Raises:
        ValueError: The network cannot be copied.
    """
    tensors = [*module.parameters(), *module.buffers()]
    # With the tensors' copies given, the copy of the module allocates none.
    memo: dict[int, Any] = {id(tensor): _on_meta(tensor) for tensor in tensors}
    # Without forward hooks: the copy does not need them, and some cannot be copied.
    memo |= {id(part._forward_hooks): OrderedDict() for part in module.modules()}
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:  # a network of the user can hold anything
        raise ValueError(
            f"costs cannot be counted, because the supernet cannot be copied by copy.deepcopy: "
            f"{short(error)}"
        ) from error


def short(error: Exception) -> str:
    """Return the type and the beginning of the message of an error, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _on_meta(tensor: Tensor) -> Tensor:
    bare = tensor.detach().to("meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(bare, requires_grad=tensor.requires_grad)
    return bare
