"""The limits of a search: the largest costs of the network that is trained after it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated

from relativenas_optuna._utils.checked_fields import Range, check_fields
from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.defaults import TRAINED_CELLS, TRAINED_CHANNELS
from relativenas_optuna.spaces.costs import AdditiveCost, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relativenas_optuna.networks.latency import LatencyTable
    from relativenas_optuna.spaces.registry import RegisteredSpace

COSTS = ("parameters", "multiply_adds", "latency")
"""Names of the costs that a search can limit."""

_Above0 = Annotated[float, Range(1e-9)]
_Channels = Annotated[int, Range(1, MOST["channels"])]
_Cells = Annotated[int, Range(1, MOST["cells"])]


@dataclass(frozen=True, kw_only=True)
class LimitRequest:
    """Limits that a caller asks for; None for no limit, or for the default.

    Attributes:
        parameters: Largest number of learned parameters.
        multiply_adds: Largest number of multiply-adds for one image.
        latency: Largest latency of a batch in milliseconds, by `latency_table`.
        latency_table: File of `relativenas latency`.
        latency_device: Name of the device in the table; the default is a device of this machine.
        channels: Channels of the first cell's nodes in the limited network; the default is the
            table's, otherwise that of `relativenas train`.
        cells: Number of cells of the limited network; the default as for `channels`.
    """

    parameters: _Above0 | None = None
    multiply_adds: _Above0 | None = None
    latency: _Above0 | None = None
    latency_table: str | None = None
    latency_device: str | None = None
    channels: _Channels | None = None
    cells: _Cells | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def given(self) -> dict[str, object]:
        """The values that are not None, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class SearchLimits:
    """The limits of a search, as its plan stores them; see `LimitRequest` for more attributes.

    Attributes:
        latency_cost: Latency by the parameters of a trial, as JSON; None without such a limit.
        input_size: (channels, height, width) of an image; None until the images are loaded.
        num_classes: Number of classes; None until the images are loaded.
    """

    parameters: _Above0 | None
    multiply_adds: _Above0 | None
    latency: _Above0 | None
    channels: _Channels
    cells: _Cells
    latency_device: str | None = None
    latency_cost: str | None = None
    input_size: tuple[int, ...] | None = None
    num_classes: Annotated[int, Range(1, MOST["num_classes"])] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        size = self.input_size
        if size is not None and not (len(size) == 3 and all(1 <= n <= MOST["size"] for n in size)):
            raise ValueError(f"input_size must be channels, height and width; got {size}")
        if (self.latency is None) != (self._latency_cost is None):
            raise ValueError("latency and latency_cost must be given together")

    @classmethod
    def of(
        cls, request: LimitRequest, registered: RegisteredSpace, nodes: int
    ) -> SearchLimits | None:
        """Return the limits of a new search; None if the request has none.

        Args:
            request: Requested limits.
            registered: Search space.
            nodes: Number of nodes in a cell of the space "cells".

        Raises:
            SearchError: Something else is given without a limit, or the latency table is missing,
                or is of another space, size or device.
            OSError: The table cannot be read.
        """
        given = request.given
        if not given:
            return None
        if not set(given) & set(COSTS):
            raise SearchError(
                f"{min(given)} of a limit needs a limit: give --max-parameters, "
                f"--max-multiply-adds or --max-latency"
            )
        if (request.latency is None) != (request.latency_table is None):
            raise SearchError(
                "a limit of the latency needs both --max-latency MS and --latency-table FILE, "
                "which `relativenas latency` writes"
            )
        table = None if request.latency_table is None else _read(request.latency_table)
        limits = cls(
            parameters=request.parameters,
            multiply_adds=request.multiply_adds,
            latency=request.latency,
            channels=request.channels or (TRAINED_CHANNELS if table is None else table.channels),
            cells=request.cells or (TRAINED_CELLS if table is None else table.cells),
            latency_device=None if table is None else table.device,
            latency_cost=None if table is None else json.dumps(table.cost.to_json()),
            # Compared with the images when they are loaded.
            input_size=None if table is None else table.input_size,
        )
        if table is None:
            return limits
        try:
            table.check(
                name=registered.name,
                space=registered.space(nodes),
                channels=limits.channels,
                cells=limits.cells,
                input_size=table.input_size,
            )
        except ValueError as error:
            raise SearchError(f"{request.latency_table}: {error}") from error
        _check_device(table, request)
        return limits

    def for_images(self, input_size: tuple[int, ...], num_classes: int) -> SearchLimits:
        """Return these limits for the images of the search.

        Raises:
            SearchError: The latency table is of images of another size.
        """
        if self.input_size not in (None, tuple(input_size)):
            raise SearchError(
                f"the latency table is of images {_by(self.input_size)}, and those of the search "
                f"are {_by(input_size)}: measure another table by `relativenas latency --size N "
                f"--image-channels N`"
            )
        return replace(self, input_size=tuple(input_size), num_classes=num_classes)

    def by_name(self, space: str, nodes: int) -> dict[str, Limit]:
        """Return the limits for a sampler; none until the images are known.

        Args:
            space: Name of the search space.
            nodes: Number of nodes in a cell of the space "cells".

        Raises:
            ValueError: A cost of the space is no sum over its parameters.
        """
        if self.input_size is None or self.num_classes is None:
            return {}
        found = {}
        if self.parameters is not None or self.multiply_adds is not None:
            counted = _counted(self, space, nodes)
            wanted = {"parameters": self.parameters, "multiply_adds": self.multiply_adds}
            found = {n: Limit(counted[n], most) for n, most in wanted.items() if most is not None}
        if self.latency is not None and self._latency_cost is not None:
            found["latency"] = Limit(self._latency_cost, self.latency)
        return found

    @cached_property
    def _latency_cost(self) -> AdditiveCost | None:
        try:
            data = None if self.latency_cost is None else json.loads(self.latency_cost)
        except RecursionError as error:  # a study may come from anybody
            raise ValueError("latency_cost must not be nested") from error
        return None if data is None else AdditiveCost.from_json(data)

    def lines(self, limits: Mapping[str, Limit]) -> list[str]:
        """Return one line for people for each of the limits that `by_name` returned."""
        return [self._line(name, limit) for name, limit in limits.items()]

    def _line(self, name: str, limit: Limit) -> str:
        assert isinstance(limit.cost, AdditiveCost)
        unit = "ms" if name == "latency" else name.replace("_", "-")
        least, most = limit.cost.bounds
        where = f" on {self.latency_device}" if name == "latency" else ""
        line = (
            f"limit {_number(limit.at_most)} {unit}{where}, in networks of {self.channels} "
            f"channels and {self.cells} cells, which have {_number(least)} to "
            f"{_number(most)}"
        )
        if most <= limit.at_most:
            line += (
                ": every architecture keeps it (--limit-channels and --limit-cells set the size)"
            )
        return line


def check_same_limits(request: LimitRequest, stored: SearchLimits | None, study_name: str) -> None:
    """Raise if requested limits are not those of a started study.

    Args:
        request: Requested limits; those that are None are not compared.
        stored: Limits of the study; None if it has none.
        study_name: Name of the study, for the error message.

    Raises:
        SearchError: A limit differs; or the table has other latencies.
    """
    for name, value in request.given.items():
        if name == "latency_table":
            same = stored is not None and stored.latency_cost == json.dumps(
                _read(str(value)).cost.to_json()
            )
            begun: object = "another table"
        else:
            begun = None if stored is None else getattr(stored, name)
            same = value == begun
        if not same:
            start = "no limits" if stored is None else f"{begun!r}"
            raise SearchError(
                f"limit {name} {value!r} does not fit study {study_name!r}, which was started with "
                f"{start}: leave it out to go on, or take another --study"
            )


@lru_cache(maxsize=8)
def _counted(limits: SearchLimits, space: str, nodes: int) -> dict[str, AdditiveCost]:
    # The import loads PyTorch, and only few plans have limits.
    from relativenas_optuna.networks.additive_cost import costs_of

    assert limits.input_size is not None
    assert limits.num_classes is not None
    channels, height, width = limits.input_size
    return costs_of(
        space,
        nodes=nodes,
        channels=limits.channels,
        cells=limits.cells,
        num_classes=limits.num_classes,
        input_size=(channels, height, width),
    )


def _read(path: str) -> LatencyTable:
    from relativenas_optuna.networks.latency import LatencyTable

    try:
        return LatencyTable.read(path)
    except ValueError as error:
        raise SearchError(str(error)) from error


def _check_device(table: LatencyTable, request: LimitRequest) -> None:
    """Raise unless the table is of the requested device, or of one of this machine."""
    # The import loads PyTorch.
    from relativenas_optuna.training.device import device_names

    here = device_names() if request.latency_device is None else [request.latency_device]
    if table.device not in here:
        raise SearchError(
            f"{request.latency_table} is of device {table.device!r}, and not of "
            f"{' or '.join(map(repr, here))}: measure here by `relativenas latency`, or give "
            f"--latency-device {table.device!r} if the network will run there"
        )


def _by(size: tuple[int, ...] | None) -> str:
    return "x".join(map(str, size or ()))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 10_000 else f"{value:.3g}"
