"""Measure the latencies of a space's operations on a device, and how well their sum holds."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from relativenas_optuna.evaluation.measurement.latency import measured_times
from relativenas_optuna.evaluation.measurement.timed_runs import Bench
from relativenas_optuna.networks.additive_cost import additive_costs
from relativenas_optuna.networks.initial import initial_supernet
from relativenas_optuna.networks.latency import LatencyTable, NetworkLatency, OperationLatency
from relativenas_optuna.networks.path_cost import Part, PathCosts
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm
from relativenas_optuna.training.device import device_name, resolve_device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.spaces.registry import RegisteredSpace

_ROUNDS = 3  # everything is measured so often, so that a slow moment does not hit one part alone
_NETWORKS = 20  # random networks: half to fit scale and rest, half to check the sum
_TRIES = 200
_PLACE = re.compile(r"node[0-9]+_input[0-9]+_|edge[0-9]+_[0-9]+_")


@dataclass(frozen=True, kw_only=True)
class LatencyRequest:
    """A set of networks to measure the latencies of, and the conditions.

    Attributes:
        space: The registered space.
        channels: Channels of the first cell's nodes.
        cells: Number of cells, reductions included.
        num_classes: Number of classes.
        input_size: (channels, height, width) of an image.
        nodes: Number of nodes in a cell of the space "cells".
        batch_size: Number of images in a batch.
        device: Device to measure on; None for the best one.
        threads: Number of CPU threads of PyTorch; None for its present number.
        precision: Number format of weights and images, one of `networks.latency.PRECISIONS`.
        seconds: Least duration of the measurement of each part and each network in seconds.
        seed: Seed of the weights and the random networks, 0 to 2**32 - 1.
    """

    space: RegisteredSpace
    channels: int
    cells: int
    num_classes: int
    input_size: tuple[int, int, int]
    nodes: int = 4
    batch_size: int = 1
    device: str | None = None
    threads: int | None = None
    precision: str = "float32"
    seconds: float = 0.3
    seed: int = 0


def measure_latencies(
    request: LatencyRequest, on_measured: Callable[[int, int], None] | None = None
) -> LatencyTable:
    """Measure each part of a space's networks, and compare the sum with random whole networks.

    A part is measured by itself, in evaluation mode without gradients, at each shape at which a
    network runs it. The latency of a network is ``rest + scale * (sum of its parts)``. `scale` and
    `rest` stand for what a part by itself does not show: the additions between parts, and memory
    that is not in the cache. They are fitted to some random networks and checked on others.

    Args:
        request: The networks and the conditions.
        on_measured: Function that is called after each measurement, with the number of measurements
            so far and of all.

    Raises:
        ValueError: A size is out of range, the device is not there, or the latency of the space's
            networks is no sum over their parameters.
    """
    device = resolve_device(request.device)
    threads = request.threads or torch.get_num_threads()
    space: Space[Any] = request.space.space(request.nodes)
    supernet = _supernet(request, space)
    paths: PathCosts[Any] = PathCosts(supernet, request.input_size)
    drawn = _random_networks(space, request.seed)
    bench = Bench(device, getattr(torch, request.precision), request.batch_size)
    parts = {
        part: bench.set_up(supernet.get_submodule(part.name), part.shape)
        for part in _all_parts(paths, space, drawn)
    }
    shape = (1, *request.input_size)
    whole = [bench.set_up(_network(supernet, one), shape) for one in drawn]
    everything = [*parts.values(), *whole]
    for number in range(_ROUNDS * len(everything)):
        one = everything[number % len(everything)]
        one.times += measured_times(
            one.run, device, threads=threads, seconds=request.seconds / _ROUNDS
        )
        if on_measured is not None:
            on_measured(number + 1, _ROUNDS * len(everything))

    def sum_of_parts(genotype: Any) -> float:
        numbers = Counter(paths.parts(genotype))
        return sum(number * parts[part].milliseconds for part, number in numbers.items())

    sums = np.array([sum_of_parts(one) for one in drawn])
    measured = np.array([one.milliseconds for one in whole])
    # A space of one architecture has no other to check on.
    fitted, checked = slice(0, None, 2), slice(1 if len(drawn) > 1 else 0, None, 2)
    scale, rest = fit(sums[fitted], measured[fitted])
    estimated = rest + scale * sums
    cost = additive_costs(lambda genotype: {"latency": sum_of_parts(genotype)}, space)["latency"]
    return LatencyTable(
        device=device_name(device),
        device_type=device.type,
        threads=threads,
        torch=torch.__version__,
        precision=request.precision,
        space=request.space.name,
        channels=request.channels,
        cells=request.cells,
        num_classes=request.num_classes,
        input_size=request.input_size,
        batch_size=request.batch_size,
        scale=scale,
        rest=rest,
        operations=tuple(
            OperationLatency(
                name=_label(supernet, part),
                input_shape=part.shape,
                output_shape=one.output_shape,
                milliseconds=one.milliseconds,
                spread=one.spread,
            )
            for part, one in parts.items()
        ),
        networks=tuple(
            NetworkLatency(
                architecture=space.text(genotype), measured=float(ours), estimated=float(theirs)
            )
            for genotype, ours, theirs in zip(
                drawn[checked], measured[checked], estimated[checked], strict=True
            )
        ),
        mean_error=float(np.mean(np.abs(estimated[checked] / measured[checked] - 1))),
        rank_correlation=_tau(measured[checked], estimated[checked]),
        cost=_scaled(cost, scale, rest),
    )


def fit(sums: NDArray[np.float64], measured: NDArray[np.float64]) -> tuple[float, float]:
    """Return scale and rest, both at least 0, for which measured is about rest + scale * sum.

    They are the least-squares line, or the line through 0 if the other one has a part below 0.

    Args:
        sums: Sum of the parts of each network in milliseconds, above 0, `[n]`.
        measured: Latency of each network in milliseconds, `[n]`.
    """
    above = sums - sums.mean()
    if above @ above > 0:
        scale = float(above @ measured / (above @ above))
        rest = float(measured.mean() - scale * sums.mean())
        if scale > 0 and rest >= 0:
            return scale, rest
    return float(measured.sum() / sums.sum()), 0.0


def _supernet(request: LatencyRequest, space: Space[Any]) -> Any:
    sizes = {"channels": request.channels, "cells": request.cells}
    return initial_supernet(
        space,
        request.space.own_supernet(**sizes, nodes=request.nodes),
        **sizes,
        in_channels=request.input_size[0],
        num_classes=request.num_classes,
        seed=request.seed,
    ).eval()


def _network(supernet: Any, genotype: Any) -> Callable[[Tensor], Tensor]:
    """Return the stand-alone network; the path of the supernet if it has no such networks."""
    if hasattr(supernet, "standalone"):
        return supernet.standalone(genotype)  # type: ignore[no-any-return]
    return _Path(supernet, genotype)


class _Path(nn.Module):
    """The path of an architecture in a supernet, as a network."""

    def __init__(self, supernet: Any, genotype: Any) -> None:
        super().__init__()
        self.supernet, self.genotype = supernet, genotype

    def forward(self, images: Tensor) -> Tensor:
        return self.supernet(images, self.genotype)  # type: ignore[no-any-return]


def _random_networks(space: Space[Any], seed: int) -> list[Any]:
    """Return random architectures, all different; fewer if the space has not so many."""
    rng = np.random.default_rng(seed)
    drawn = dict.fromkeys(space.random(rng) for _ in range(_TRIES))
    return list(drawn)[:_NETWORKS]


def _all_parts(paths: PathCosts[Any], space: Space[Any], drawn: Sequence[Any]) -> list[Part]:
    """Return the parts of all architectures from which a cost is made, each once."""
    found: dict[Part, None] = {}

    def number_of_parts(genotype: Any) -> dict[str, float]:
        parts = paths.parts(genotype)
        found.update(dict.fromkeys(parts))
        return {"parts": len(parts)}

    additive_costs(number_of_parts, space)
    for genotype in drawn:
        number_of_parts(genotype)
    return list(found)


def _label(supernet: nn.Module, part: Part) -> str:
    """Return the name of a part's operation, or of its class if it has only a number."""
    name = _PLACE.sub("", part.name.rpartition(".")[2])
    return type(supernet.get_submodule(part.name)).__name__ if name.isdecimal() else name


def _scaled(cost: AdditiveCost, scale: float, rest: float) -> AdditiveCost:
    return AdditiveCost(
        rest + scale * cost.constant,
        tuple(
            CostTerm(term.parameters, {key: scale * one for key, one in term.costs.items()})
            for term in cost.terms
        ),
    )


def _tau(measured: NDArray[np.float64], estimated: NDArray[np.float64]) -> float | None:
    # The import takes a second.
    from scipy.stats import kendalltau

    if len(measured) < 2:
        return None
    tau = float(kendalltau(measured, estimated).statistic)
    return None if np.isnan(tau) else tau
