"""Measured latencies of a space's operations on one device, and their file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from relativenas_optuna._utils.checked_fields import Range, check_fields, from_data
from relativenas_optuna._utils.files import write_whole
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.spaces.costs import AdditiveCost, Limit
from relativenas_optuna.spaces.protocol import finite_values

if TYPE_CHECKING:
    from relativenas_optuna.spaces.protocol import Space

FORMAT = "relativenas latency 1"
PRECISIONS = ("float32", "bfloat16", "float16")

_LONGEST_FILE = 64 * 1024**2  # bytes
_LONGEST_TEXT = 10_000  # characters
_MOST_THREADS = 100_000
_Milliseconds = Annotated[float, Range(0, 1e9)]


@dataclass(frozen=True, kw_only=True)
class OperationLatency:
    """The latency of an operation at one place of a network.

    Attributes:
        name: Name of the operation, such as "sep_conv_3x3", or of another part of the network.
        input_shape: Shape of its input for one image, such as (1, 36, 32, 32).
        output_shape: Shape of its output for one image.
        milliseconds: Median time for a batch in milliseconds.
        spread: Difference between the quartiles of the times in milliseconds.
    """

    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    milliseconds: _Milliseconds
    spread: _Milliseconds

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class NetworkLatency:
    """The measured latency of a whole network beside its sum.

    Attributes:
        architecture: Text of the architecture.
        measured: Median time of the network for a batch in milliseconds.
        estimated: Latency by the table in milliseconds.
    """

    architecture: str
    measured: _Milliseconds
    estimated: _Milliseconds

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class LatencyTable:
    """The latency of a space's networks of one size on one device, as a sum over their operations.

    Attributes:
        device: Name of the device, as `training.device.device_name` returns it.
        device_type: "cpu", "cuda" or "mps".
        threads: Number of CPU threads of PyTorch.
        torch: Version of PyTorch.
        precision: Number format of weights and images, one of `PRECISIONS`. The memory format is
            channels last.
        space: Name of the search space.
        channels: Channels of the first cell's nodes.
        cells: Number of cells, reductions included.
        num_classes: Number of classes.
        input_size: (channels, height, width) of an image.
        batch_size: Number of images in a batch.
        scale: Factor of the sum of the parts, fitted to whole networks.
        rest: Time of a network outside of its parts in milliseconds, fitted to whole networks.
        operations: Latencies of the parts.
        networks: Random networks that the sum was compared with; none of them was fitted to, except
            in a space of one or two architectures.
        mean_error: Mean absolute relative error of the sum on `networks`.
        rank_correlation: Kendall's tau of measured and estimated latencies of `networks`; None if
            all are equal.
        cost: Latency in milliseconds by the parameters of a trial, with `rest` and `scale`: one of
            the `costs` of a sampler.

    Raises:
        ValueError: A field is out of range; the message names it.
    """

    device: str
    device_type: Annotated[str, ("cpu", "cuda", "mps")]
    threads: Annotated[int, Range(1, _MOST_THREADS)]
    torch: str
    precision: Annotated[str, PRECISIONS]
    space: str
    channels: Annotated[int, Range(1, MOST["channels"])]
    cells: Annotated[int, Range(1, MOST["cells"])]
    num_classes: Annotated[int, Range(1, MOST["num_classes"])]
    input_size: tuple[int, ...]
    batch_size: Annotated[int, Range(1, MOST["batch_size"])]
    scale: Annotated[float, Range(0, 1e6)]
    rest: _Milliseconds
    operations: tuple[OperationLatency, ...]
    networks: tuple[NetworkLatency, ...]
    mean_error: Annotated[float, Range(0)]
    rank_correlation: Annotated[float, Range(-1, 1)] | None
    cost: AdditiveCost

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.input_size) != 3 or not all(1 <= n <= MOST["size"] for n in self.input_size):
            raise ValueError(
                f"input_size must be channels, height and width from 1 to {MOST['size']}; got "
                f"{self.input_size}"
            )
        texts = [self.device, self.torch, self.space]
        texts += [one.name for one in self.operations]
        texts += [line for one in self.networks for line in one.architecture.split("\n")]
        for text in texts:
            # Anything else would garble a terminal.
            if not text.isprintable() or len(text) > _LONGEST_TEXT:
                raise ValueError(
                    f"texts must be printable, of at most {_LONGEST_TEXT} characters; got "
                    f"{text!r:.80}"
                )

    def at_most(self, milliseconds: float) -> Limit:
        """Return the limit of a latency, for `limits` of a sampler.

        Args:
            milliseconds: Largest latency of a batch in milliseconds, above 0.

        Raises:
            ValueError: The latency is not a number above 0.
        """
        return Limit(self.cost, milliseconds)

    def check(
        self,
        *,
        name: str,
        space: Space[Any],
        channels: int,
        cells: int,
        input_size: tuple[int, ...],
        device: str | None = None,
    ) -> None:
        """Raise unless the table is of this space, network size and device.

        Args:
            name: Name of the search space.
            space: The space.
            channels: Channels of the first cell's nodes in the networks to limit.
            cells: Number of cells of these networks.
            input_size: (channels, height, width) of an image.
            device: Name of the device on which the networks will run; None for any device.

        Raises:
            ValueError: Something differs; one line says what.
        """
        wanted: dict[str, tuple[object, object]] = {
            "space": (self.space, name),
            "device": (self.device, self.device if device is None else device),
            "channels": (self.channels, channels),
            "cells": (self.cells, cells),
            "image size": (_by(self.input_size), _by(input_size)),
        }
        for what, (own, other) in wanted.items():
            if own != other:
                raise ValueError(
                    f"the latency table is of {what} {own!r}, and {other!r} is needed: measure "
                    f"another table by `relativenas latency`"
                )
        self._check_parameters(space)

    def _check_parameters(self, space: Space[Any]) -> None:
        """Raise unless the table has a latency for all values of the space's parameters."""
        values = {key: finite_values(of) for key, of in space.distributions.items()}
        for term in self.cost.terms:
            there = all(key in values for key in term.parameters)
            if not there or not set(term.costs) >= set(
                product(*(values[key] for key in term.parameters))
            ):
                raise ValueError(
                    f"the latency table is of another space of the name {self.space!r}: it has "
                    f"other choices for {', '.join(term.parameters)}. Measure another table by "
                    f"`relativenas latency`"
                )

    def to_data(self) -> dict[str, Any]:
        """Return the table as JSON data, the content of its file."""
        data = {one.name: plain(getattr(self, one.name)) for one in fields(self)}
        return {"format": FORMAT, **data, "cost": self.cost.to_json()}

    def write(self, path: str | Path) -> None:
        """Write the table as JSON, whole or not at all.

        Raises:
            OSError: The file cannot be written.
        """
        text = json.dumps(self.to_data(), indent=1, allow_nan=False)
        write_whole(path, f"{text}\n".encode())

    @classmethod
    def read(cls, path: str | Path) -> LatencyTable:
        """Read a table from a file, which anybody may have written.

        Raises:
            ValueError: The file is not a latency table, or a field is out of range; one line says
                why.
            OSError: The file cannot be read.
        """
        with Path(path).open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
        try:
            if len(content) > _LONGEST_FILE:
                raise ValueError(f"it is longer than {_LONGEST_FILE} bytes")
            return cls.from_data(json.loads(content))
        # RecursionError: a file from elsewhere may nest brackets without end.
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"file {str(path)!r} is no latency table of `relativenas latency`: {reason}"
            ) from error

    @classmethod
    def from_data(cls, data: object) -> LatencyTable:
        """Return the table in JSON data, which anybody may have written.

        Raises:
            ValueError: The data are not a latency table, or a field is out of range.
        """
        names = {one.name for one in fields(cls)}
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        odd = sorted(names ^ (set(data) - {"format"}))
        if odd:
            what = "lacks" if odd[0] in names else "has an unknown field"
            raise ValueError(f"it {what} {odd[0]!r:.80}")
        own = {name: data[name] for name in names}
        try:
            return from_data(cls, own | {"cost": AdditiveCost.from_json(data["cost"])})
        except (LookupError, TypeError) as error:
            raise ValueError(f"it lacks a field or has an unknown one, {error}") from error


def _by(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))
