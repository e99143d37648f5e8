"""The costs of a supernet's networks as sums over the parameters of a trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from relativenas_optuna.networks.path_cost import PathCosts
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm
from relativenas_optuna.spaces.protocol import finite_values
from relativenas_optuna.spaces.registry import NetworkSizes, RegisteredSpace, load_space

if TYPE_CHECKING:
    from relativenas_optuna.networks.protocol import SharedNetwork
    from relativenas_optuna.spaces.protocol import Space

A = TypeVar("A")

_MOST = 20_000  # architectures to count, which takes half a minute at the usual sizes
_CHECKED = 20  # random architectures whose counted cost is compared with the sum
_ROUNDING = 1e-11  # largest relative difference of a sum; whole numbers are exact
_WAY_OUT = (
    "give the space cost_groups, or limit a function: Limit(lambda params: "
    "path_costs.cost(space.genotype(params)).parameters, at_most)"
)


def network_costs(
    supernet: SharedNetwork[A], space: Space[A], input_size: tuple[int, int, int]
) -> dict[str, AdditiveCost]:
    """Return the costs of the stand-alone networks of a supernet as sums over their parameters.

    The supernet may be on the meta device, without memory for its weights. The costs are exact for
    the built-in spaces. For a space of your own they are counted on architectures that differ in
    one group of parameters (`cost_groups` of the space, otherwise each parameter alone), and the
    sum is compared with the counted costs of 20 random architectures.

    Args:
        supernet: Supernet of the space. Its size counts: a network of another size has other costs.
        space: Search space. A parameter without a finite number of values adds no cost.
        input_size: (channels, height, width) of an image.

    Returns:
        The costs "parameters" (learned parameters, without an auxiliary head) and "multiply_adds"
        (of one image).

    Raises:
        ValueError: The costs are not such a sum, or cannot be counted; see `PathCosts`.
        TypeError: `supernet` is not a module with `tensors`.

    Example:
        >>> from relativenas_optuna.networks import Supernet
        >>> from relativenas_optuna.spaces import CellSpace, published
        >>> space = CellSpace()
        >>> costs = network_costs(Supernet(space, channels=4, cells=3), space, (3, 32, 32))
        >>> costs["parameters"].of(space.params(published("DARTS_V1")))
        2798.0
    """
    return counted_costs(PathCosts(supernet, input_size), space)


def costs_of(
    space: RegisteredSpace | str,
    *,
    channels: int,
    cells: int,
    num_classes: int,
    input_size: tuple[int, int, int],
    nodes: int = CellSpace.nodes,
) -> dict[str, AdditiveCost]:
    """Return the costs of the networks of a registered space at a size of your choice.

    A limit usually holds for the network that is trained after the search, which is larger than
    the supernet: 36 channels and 20 cells in the papers on pairs of cells. The network is the one
    for small images, without an auxiliary head and without batch norm after pooling.

    Args:
        space: The space or its name; the module of a name MODULE:ATTRIBUTE is imported.
        channels: Channels of the first cell's nodes. A space of your own decides about its sizes.
        cells: Number of cells, reductions included: 17 are five for each stage of NAS-Bench-201.
        num_classes: Number of classes.
        input_size: (channels, height, width) of an image.
        nodes: Number of nodes in a cell of the space "cells".

    Returns:
        See `network_costs`.

    Raises:
        SpaceError: No such space is registered.
        ValueError: A size is out of range; or see `network_costs`.
    """
    registered = load_space(space) if isinstance(space, str) else space
    architectures = registered.space(nodes)
    sizes = NetworkSizes(
        channels=channels, cells=cells, in_channels=input_size[0], num_classes=num_classes
    )
    # A supernet of the user may compute with its weights, which the meta device cannot.
    device = "meta" if registered.built_in else "cpu"
    with torch.random.fork_rng(devices=[]), torch.device(device):
        supernet = registered.build_supernet(architectures, sizes)
    return network_costs(supernet, architectures, input_size)


def counted_costs(counted: PathCosts[A], space: Space[A]) -> dict[str, AdditiveCost]:
    """Return the counted costs of a space's architectures as sums; see `network_costs`."""
    return additive_costs(lambda genotype: vars(counted.cost(genotype)), space)


def additive_costs(
    costs_by: Callable[[A], Mapping[str, float]], space: Space[A]
) -> dict[str, AdditiveCost]:
    """Return some costs of a space's architectures as sums over their parameters.

    Args:
        costs_by: Function that returns the costs of an architecture by their names, which are the
            same for all architectures; at least 0.
        space: Search space; see `network_costs`.

    Raises:
        ValueError: The costs are not sums over the groups of the space, or the function raised it.
    """
    values = {name: finite_values(of) for name, of in space.distributions.items()}
    groups = _groups(space, values)
    base = _base(space, values)
    count = sum(math.prod(len(values[name]) for name in group) for group in groups)
    if count > _MOST:
        raise ValueError(
            f"costs of a {type(space).__name__} would need {count:,} counted architectures, more "
            f"than {_MOST:,}: {_WAY_OUT}"
        )
    of_base = _costs(costs_by, space, base)
    constants = dict(of_base)
    terms: dict[str, list[CostTerm]] = {name: [] for name in of_base}
    for group in groups:
        combinations = list(product(*(values[name] for name in group)))
        found = [
            _costs(costs_by, space, base | dict(zip(group, combination, strict=True)))
            for combination in combinations
        ]
        for name in of_base:
            least = min(costs[name] for costs in found)
            constants[name] += least - of_base[name]
            above = {
                combination: costs[name] - least
                for combination, costs in zip(combinations, found, strict=True)
            }
            if any(above.values()):
                terms[name].append(CostTerm(group, above))
    if any(constant < -_ROUNDING * of_base[name] for name, constant in constants.items()):
        raise ValueError(_not_a_sum(space, "the least sum is below 0"))
    sums = {name: AdditiveCost(max(0, constants[name]), tuple(terms[name])) for name in of_base}
    _check(sums, costs_by, space)
    return sums


def _costs(
    costs_by: Callable[[A], Mapping[str, float]], space: Space[A], params: Mapping[str, Any]
) -> Mapping[str, float]:
    try:
        genotype = space.genotype(params)
    except ValueError as error:
        raise ValueError(_not_a_sum(space, f"not all combinations are in it: {error}")) from error
    return costs_by(genotype)


def _check(
    sums: Mapping[str, AdditiveCost],
    costs_by: Callable[[A], Mapping[str, float]],
    space: Space[A],
) -> None:
    """Raise if a sum differs from the cost of a random architecture."""
    rng = np.random.default_rng(0)
    for _ in range(_CHECKED):
        genotype = space.random(rng)
        costs, params = costs_by(genotype), space.params(genotype)
        for name, additive in sums.items():
            found = additive.of(params)
            if not math.isclose(found, costs[name], rel_tol=_ROUNDING):
                raise ValueError(
                    _not_a_sum(
                        space,
                        f"{' '.join(space.text(genotype).split())[:200]} has {costs[name]:,} "
                        f"{name.replace('_', '-')}, the sum is {found:,}",
                    )
                )


def _not_a_sum(space: Space[Any], reason: str) -> str:
    return f"costs of a {type(space).__name__} are no sum over its parameters, {reason}: {_WAY_OUT}"


def _base(space: Space[Any], values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return the parameters of one architecture, with the first value of each finite parameter."""
    drawn = space.params(space.random(np.random.default_rng(0)))
    return drawn | {name: some[0] for name, some in values.items() if some}


def _groups(space: Space[Any], values: Mapping[str, Sequence[Any]]) -> list[tuple[str, ...]]:
    """Return the groups of parameters, without parameters of infinitely many values."""
    own = getattr(space, "cost_groups", None)
    groups = [(name,) for name in values] if own is None else [tuple(group) for group in own]
    names = [name for group in groups for name in group]
    if sorted(names) != sorted(values):
        odd = sorted(set(names) ^ set(values)) or [max(names, key=names.count)]
        raise ValueError(
            f"cost_groups of a {type(space).__name__} must hold each parameter of its "
            f"distributions once; {odd[0]!r} is not so"
        )
    finite = (tuple(name for name in group if values[name]) for group in groups)
    return [group for group in finite if group]
