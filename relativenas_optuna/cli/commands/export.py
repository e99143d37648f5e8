"""The command `relativenas export`: a trained network for other programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import json_option
from relativenas_optuna.cli.options.network import network_argument, network_in
from relativenas_optuna.search.run_folder import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relativenas_optuna.evaluation.exporting.export import Exported
    from relativenas_optuna.networks.io.description import NetworkDescription


@click.command(
    epilog=examples(
        "relativenas export relativenas-out/my-trained/network.safetensors --format onnx",
        "relativenas export network.safetensors --format onnx --format torch --out serving",
        "relativenas export cifar10.pt --format safetensors     convert published weights",
    ),
)
@network_argument
@click.option(
    "--format",
    "formats",
    type=click.Choice(("safetensors", "onnx", "torch")),
    multiple=True,
    required=True,
    help="safetensors: the weights, with a JSON file that describes them; onnx: an ONNX model; "
    "torch: a torch.export program (.pt2). May be repeated.",
)
@click.option("--out", metavar="FOLDER", help="Folder for the files.  [default: that of FILE]")
@json_option
def export(
    file: Path,
    architecture: str | None,
    dataset: str | None,
    *,
    space: str | None,
    task: str | None,
    formats: tuple[str, ...],
    out: str | None,
    as_json: bool,
) -> None:
    """Write the network in FILE in formats that other programs load.

    Each export is checked on random images against the network, singly and in batches. It is not
    written if it differs by more than rounding. The onnx and torch files take batches of any size
    of float32 images in [0, 1], and normalise the images themselves.
    """
    # This import loads PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.exporting import export as exporting

    exporting.require_installed(formats)
    given = network_in(file, architecture, dataset, space, task)
    folder = Path(out) if out is not None else file.parent
    make_folder(str(folder))
    unique = tuple(dict.fromkeys(formats))
    written = exporting.export(given.network, given.description, unique, folder / file.stem)
    if as_json:
        click.echo(json.dumps(list(map(_data, written))))
        return
    if given.taken_for is not None:
        click.echo(f"{shown_path(file.absolute())}: {given.taken_for}")
    for one in written:
        for line in _lines(one, given.description, exporting.BATCHES):
            click.echo(line)


def _batches_of(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(['batch', *map(str, shape)])}]"


def _data(one: Exported) -> dict[str, Any]:
    beside = None if one.beside is None else str(one.beside)
    size = one.path.stat().st_size
    return asdict(one) | {"path": str(one.path), "beside": beside, "bytes": size}


def _lines(one: Exported, of: NetworkDescription, batches: tuple[int, ...]) -> Iterator[str]:
    """Return the lines that describe a written file."""
    path = shown_path(one.path.absolute())
    yield f"{path}: {one.path.stat().st_size:,} bytes"
    if one.beside is not None:
        yield f"  holds the weights and a description of the network, also in {one.beside.name}"
    else:
        shape = f"[batch, {', '.join(map(str, (of.in_channels, *of.size)))}]"
        given = ", ".join(f"{name} {_batches_of(of)}" for name, of in one.outputs.items())
        yield f"  takes images, float32 {shape} from 0 to 1, and gives {given}"
    found = f"differ by at most {one.difference:.2g} (bound {one.bound:.2g})"
    if one.difference == 0:
        found = "are those of the network, to the last bit"
    yield f"  loaded again, its outputs for {' and '.join(map(str, batches))} images {found}"
