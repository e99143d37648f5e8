"""State dicts of other programs: names and types as our networks have them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

#: Tensors by the names of a network's state dict.
State: TypeAlias = Mapping[str, Tensor]

# What DataParallel, DistributedDataParallel, AveragedModel and torch.compile put into names.
_WRAPPERS = {"module", "_orig_mod"}
_AVERAGED = "n_averaged"  # AveragedModel's own counter
_CELLS = "cells."  # every network of ours has cells
_COUNTER = "num_batches_tracked"
_MEAN = "running_mean"


def unwrapped(state: State) -> dict[str, Tensor]:
    """Return a state dict without the names of the modules that its network was wrapped in.

    `module` and `_orig_mod` are removed wherever they are. A prefix that all names share, such as
    `model.`, is removed where the names are those of a network with cells.
    """
    plain = {
        ".".join(part for part in name.split(".") if part not in _WRAPPERS): tensor
        for name, tensor in state.items()
        if name != _AVERAGED
    }
    prefix = _shared_prefix(plain)
    if prefix and any(name.startswith(f"{prefix}{_CELLS}") for name in plain):
        plain = {name.removeprefix(prefix): tensor for name, tensor in plain.items()}
    return plain if len(plain) >= len(state) - (_AVERAGED in state) else dict(state)


def _shared_prefix(names: Collection[str]) -> str:
    """Return the parts that all names begin with, each with its dot."""
    shared = []
    for parts in zip(*(name.split(".")[:-1] for name in names), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(f"{parts[0]}.")
    return "".join(shared)


def in_single_precision(state: State) -> dict[str, Tensor]:
    """Return a state dict with all floating-point tensors as float32, and counters as int64.

    A counter is not a whole number where a program averaged or converted all tensors alike.
    """

    def converted(name: str, tensor: Tensor) -> Tensor:
        if name.endswith(_COUNTER):
            return tensor.nan_to_num().long()
        return tensor.float() if tensor.is_floating_point() else tensor

    return {name: converted(name, tensor) for name, tensor in state.items()}


def with_counters(ours: State, theirs: State) -> dict[str, Tensor]:
    """Return weights with the counters of batch norms that torch does without.

    Files of torch before 0.4.1 have no `num_batches_tracked`, as torch's own `load_state_dict`
    allows. They begin at 0.

    Args:
        ours: The state dict of the network.
        theirs: The weights; only batch norms that are in them get a counter.
    """
    counters = {
        name: torch.zeros(tensor.shape, dtype=tensor.dtype)
        for name, tensor in ours.items()
        if name.endswith(_COUNTER)
        and name not in theirs
        and f"{name.removesuffix(_COUNTER)}{_MEAN}" in theirs
    }
    return {**theirs, **counters}
