"""The command `relativenas latency`: the latency of a space's operations on this device."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relativenas_optuna._utils.limits import MOST
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import device_option, json_option
from relativenas_optuna.cli.output.latency import lines
from relativenas_optuna.cli.progress import measuring
from relativenas_optuna.cli.terminal import console
from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
from relativenas_optuna.networks.latency import PRECISIONS
from relativenas_optuna.spaces.names import BUILT_IN_NAMES, CELLS
from relativenas_optuna.spaces.registry import load_space

if TYPE_CHECKING:
    from collections.abc import Callable

    import rich.console

    from relativenas_optuna.networks.latency import LatencyTable

    F = TypeVar("F", bound=Callable[..., object])

_TRAINED = RECIPES["short"]


def _number(name: str, default: int, most: int, what: str) -> Callable[[F], F]:
    """Return an option that takes a whole number from 1 to `most`."""
    return click.option(
        f"--{name}",
        type=click.IntRange(1, most),
        metavar="N",
        default=default,
        show_default=True,
        help=what,
    )


@click.command(
    epilog=examples(
        "relativenas latency",
        "relativenas latency --channels 36 --cells 20 --device cuda --out h100.json",
        "relativenas latency --space nasbench201 --cells 17 --channels 16 --threads 1",
    ),
)
@click.option(
    "--space",
    metavar="SPACE",
    default=CELLS,
    show_default=True,
    help=f"Search space: {', '.join(BUILT_IN_NAMES)}, or MODULE:ATTRIBUTE of a custom space.",
)
@_number("channels", _TRAINED.channels, MOST["channels"], "Channels of the first cell's nodes.")
@_number("cells", _TRAINED.cells, MOST["cells"], "Number of cells, reductions included.")
@_number("classes", 10, MOST["num_classes"], "Number of classes.")
@_number("size", 32, MOST["size"], "Height and width of an image in pixels.")
@_number("image-channels", 3, MOST["in_channels"], "Channels of an image.")
@_number("batch-size", 1, MOST["batch_size"], "Number of images in a batch.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Number of CPU threads of PyTorch.  [default: PyTorch's]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=PRECISIONS[0],
    show_default=True,
    help="Number format of weights and images.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    default=0.3,
    show_default=True,
    help="Least time for the measurement of each operation and each network.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default="latency.json",
    show_default=True,
    help="File for the table.",
)
@device_option
@json_option
def latency(*, out: Path, as_json: bool, **options: Any) -> None:
    """Measure how long the operations of a search space take on this device.

    Each operation is measured at each place where it can be in a network of the given size. The
    latency of a network is a sum over its operations. The sum is checked on whole random networks,
    and its error is printed and stored.

    The default size is that of the network that `relativenas train` builds. Measure while no other
    program runs.
    """
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"--out must be in a folder that exists; got {str(out)!r}")
    output, notices = console(), console(stderr=as_json, notices=True)
    table = _measured(notices, options, quiet=as_json)
    table.write(out)
    if as_json:
        click.echo(json.dumps(table.to_data(), allow_nan=False))
        return
    for line in lines(table):
        output.print(line, soft_wrap=True)
    notices.print(f"written: {shown_path(out.absolute())}", soft_wrap=True)


def _measured(
    notices: rich.console.Console, options: dict[str, Any], *, quiet: bool
) -> LatencyTable:
    # This import loads PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.measurement.latency_table import (
        LatencyRequest,
        measure_latencies,
    )

    size = options.pop("size")
    request = LatencyRequest(
        space=load_space(options.pop("space")),
        num_classes=options.pop("classes"),
        input_size=(options.pop("image_channels"), size, size),
        **options,
    )
    silence: AbstractContextManager[Callable[[int, int], None]] = nullcontext(lambda _, __: None)
    with silence if quiet else measuring(notices, "measuring") as report:
        return measure_latencies(request, report)
