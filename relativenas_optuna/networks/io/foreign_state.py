"""Conversion of other programs' state dicts to the names and types of this package."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

#: Tensors by the names of a network's state dict.
State: TypeAlias = Mapping[str, Tensor]

# Parts that DataParallel, DistributedDataParallel, AveragedModel and torch.compile put into names.
_WRAPPERS = {"module", "_orig_mod"}
_AVERAGED = "n_averaged"  # AveragedModel's own counter
_CELLS = "cells."  # every network of ours has cells
_COUNTER = "num_batches_tracked"
_MEAN = "running_mean"


def unwrapped(state: State) -> dict[str, Tensor]:
    """Return a state dict without the name parts of wrappers, such as `DataParallel`.

    The parts `module` and `_orig_mod` are removed everywhere. A prefix that all names share, such
    as `model.`, is removed if the names are then those of a network with cells.
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

    A program that averaged or converted all tensors alike leaves counters that are floats.
    """

    def converted(name: str, tensor: Tensor) -> Tensor:
        if name.endswith(_COUNTER):
            return tensor.nan_to_num().long()
        return tensor.float() if tensor.is_floating_point() else tensor

    return {name: converted(name, tensor) for name, tensor in state.items()}


def with_counters(ours: State, theirs: State) -> dict[str, Tensor]:
    """Return weights with a counter of 0 for each batch norm whose counter is missing.

    Files of torch before 0.4.1 have no `num_batches_tracked`. torch's own `load_state_dict` accepts
    them too.

    Args:
        ours: State dict of the network.
        theirs: Weights from a file. A batch norm that is not in them gets no counter.
    """
    counters = {
        name: torch.zeros(tensor.shape, dtype=tensor.dtype)
        for name, tensor in ours.items()
        if name.endswith(_COUNTER)
        and name not in theirs
        and f"{name.removesuffix(_COUNTER)}{_MEAN}" in theirs
    }
    return {**theirs, **counters}
