"""The supernet that a search begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.networks.protocol import SharedNetwork, as_module
from relativenas_optuna.spaces.registry import NetworkSizes, built_in_for

#: (channels of an image, classes) -> a fresh supernet.
Build: TypeAlias = Callable[[int, int], SharedNetwork[Any]]


def first_supernet(
    space: Any,
    given: SharedNetwork[Any] | Build | None,
    *,
    channels: int,
    cells: int,
    in_channels: int,
    num_classes: int,
    seed: int,
) -> Any:  # a module and a SharedNetwork, for which there is no type
    """A supernet with first weights that follow from the seed.

    torch's global random state stays as it is.

    Args:
        space: The architectures.
        given: A supernet of one's own, whose weights stay as they are; its class, or a function
            that builds it, called with `seed` in torch's global stream; or `None` for that of
            `CellSpace` or `NASBench201`.
        channels: Of the first cell; for a supernet that is not given, as is the next.
        cells: Cells in all, those that reduce included. Of NAS-Bench-201 the three stages have a
            third of the rest each, 17 cells are the paper's.
        in_channels: Channels of an image.
        num_classes: Classes to tell apart.
        seed: Of the first weights.

    Raises:
        TypeError: The supernet is no module with `tensors`, or there is none for this space.
        ValueError: A size is out of range.
    """
    if isinstance(given, nn.Module):
        return as_module(given)
    # torch fills new layers from its global stream, which is not ours to move on.
    with torch.random.fork_rng(devices=[]):
        if given is not None:
            if not callable(given):
                return as_module(given)
            torch.default_generator.manual_seed(seed)
            build: Any = given
            return as_module(build(in_channels, num_classes))
        registered = built_in_for(space)
        if registered is None:
            raise TypeError(
                f"a space of your own needs supernet=..., a torch.nn.Module or a function "
                f"(in_channels, classes) -> module; got none for a {type(space).__name__}"
            )
        sizes = NetworkSizes(
            channels=channels, cells=cells, in_channels=in_channels, num_classes=num_classes
        )
        supernet: nn.Module = registered.build_supernet(space, sizes)
    draw_weights(supernet, torch.Generator().manual_seed(seed))
    return supernet
