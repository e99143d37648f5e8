"""Options that limit the cost of the architectures of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.search.defaults import TRAINED_CELLS, TRAINED_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.search.limits import LimitRequest

_NAMES = {
    "max_parameters": "parameters",
    "max_multiply_adds": "multiply_adds",
    "max_latency": "latency",
    "latency_table": "latency_table",
    "latency_device": "latency_device",
    "limit_channels": "channels",
    "limit_cells": "cells",
}
_NUMBER = click.FloatRange(0, min_open=True)
_DEFAULT = "that of the latency table, otherwise {}, as `relativenas train` builds"


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of limits to a command, for use with `limit_request`."""
    for option in reversed(
        (
            click.option(
                "--max-parameters",
                type=_NUMBER,
                metavar="N",
                help="Search only architectures whose network has at most N parameters, such as "
                "2e6. Limits hold for the network that is trained after the search, not for the "
                "smaller one with shared weights: see --limit-channels.",
            ),
            click.option(
                "--max-multiply-adds",
                type=_NUMBER,
                metavar="N",
                help="Search only architectures whose network needs at most N multiply-adds for an "
                "image.",
            ),
            click.option(
                "--max-latency",
                type=_NUMBER,
                metavar="MS",
                help="Search only architectures whose network takes at most MS milliseconds by "
                "--latency-table.",
            ),
            click.option(
                "--latency-table",
                metavar="FILE",
                help="Table of `relativenas latency`, for the same space, image size, channels and "
                "cells.",
            ),
            click.option(
                "--latency-device",
                metavar="NAME",
                help="Name of the device in the table, if it is not a device of this machine.",
            ),
            click.option(
                "--limit-channels",
                type=click.IntRange(1, MOST["channels"]),
                metavar="N",
                help="Channels of the first cell in the network that limits hold for.  "
                f"[default: {_DEFAULT.format(TRAINED_CHANNELS)}]",
            ),
            click.option(
                "--limit-cells",
                type=click.IntRange(1, MOST["cells"]),
                metavar="N",
                help="Cells of the network that limits hold for.  "
                f"[default: {_DEFAULT.format(TRAINED_CELLS)}]",
            ),
        )
    ):
        command = option(command)
    return command


def limit_request(options: dict[str, Any]) -> LimitRequest:
    """Take the options of limits out of all options, and return the limits that they ask for."""
    # Imported here, so that help and Tab completion are fast.
    from relativenas_optuna.search.limits import LimitRequest

    return LimitRequest(**{name: options.pop(option) for option, name in _NAMES.items()})
