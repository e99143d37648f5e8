"""The supernet at the start of a search."""

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


def initial_supernet(
    space: Any,
    given: SharedNetwork[Any] | Build | None,
    *,
    channels: int,
    cells: int,
    in_channels: int,
    num_classes: int,
    seed: int,
) -> Any:  # both a module and a SharedNetwork, which Python cannot write as a type
    """Return a supernet with initial weights that follow from the seed.

    The state of torch's global random generator does not change.

    Args:
        space: Search space.
        given: Supernet of the user, whose weights do not change, or a function (channels of an
            image, classes) that builds it. The function is called after `torch.manual_seed(seed)`.
            None for the built-in supernet of a `CellSpace` or `NASBench201`.
        channels: Channels of the first cell; not used for a given supernet.
        cells: Number of cells, reductions included; not used for a given supernet. Each of the
            three stages of NAS-Bench-201 has a third of the other cells, so 17 is the paper's.
        in_channels: Channels of an image.
        num_classes: Number of classes.
        seed: Seed of the initial weights, 0 to 2**64 - 1.

    Raises:
        TypeError: The supernet is not a module with `tensors`, or this space needs one.
        ValueError: A size is out of range.
    """
    if isinstance(given, nn.Module):
        return as_module(given)
    # torch draws initial weights from its global generator, which belongs to the user.
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
