"""Export a trained network, and compare what each file computes with the original."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.evaluation.exporting.export_formats import FORMATS, Run, trace
from relativenas_optuna.evaluation.exporting.serving import ServingNetwork
from relativenas_optuna.evaluation.tasks.network import save_task_network
from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION
from relativenas_optuna.exceptions import ExportError
from relativenas_optuna.networks.io.network_file import save_network

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

    from relativenas_optuna.networks.io.description import NetworkDescription

BATCHES = (1, 3)
"""Sizes of the batches on which a file is compared with the network."""
_MOST = 16
"""Largest number of outputs."""
BOUND = 1e-4
"""Largest accepted difference of an output, as a multiple of its largest value or of 1 if that is
larger. Other programs add in another order, and a deep network enlarges the rounding of float32."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written, and that computes the logits of the network.

    Attributes:
        format: Name of the format.
        path: Path of the file.
        beside: Path of a second file that was written; None if there is none.
        difference: Largest absolute difference between an output of the file and of the network;
            of the output where it is largest as a share of the bound.
        bound: Largest difference of that output that counts as rounding.
        outputs: Shape of each output for one image, without the batch, by name.
    """

    format: str
    path: Path
    beside: Path | None
    difference: float
    bound: float
    outputs: dict[str, tuple[int, ...]]


def export(
    network: nn.Module, description: NetworkDescription, formats: Sequence[str], stem: Path
) -> Iterator[Exported]:
    """Write a network in some formats, if the file computes the same outputs when it is loaded.

    A program of ONNX or torch.export takes float32 images `[b, c, h, w]` in [0, 1], for any `b`
    and the `h` and `w` that the network was trained with. It normalises them and returns logits
    `[b, classes]`, or the outputs of the network's task. It holds the description of the network.

    Args:
        network: Trained network on the CPU; it is put in evaluation mode.
        description: Description of the network.
        formats: Names of formats, keys of `FORMATS`.
        stem: Path of the files without their suffix, in an existing folder.

    Yields:
        Each file after it was written.

    Raises:
        ExportError: A module that a format needs is not installed, or the file would compute
            other outputs.
        OSError: A file cannot be written.
    """
    require_installed(formats)
    serving = ServingNetwork(network, description)

    @cache
    def program() -> ExportedProgram:
        return trace(serving)

    for name in formats:
        target = FORMATS[name]
        content = target.content(serving, program)
        difference, bound, shapes = _compared(serving, target.loaded(content), exact=target.exact)
        if not difference <= bound:  # also true for NaN
            raise ExportError(
                f"format {name}: the outputs of the exported network differ by {difference:.3g}, "
                f"more than rounding explains ({bound:.3g}); the file is not written"
            )
        path = stem.with_name(f"{stem.name}.{target.suffix}")
        if name == "safetensors":
            save = save_network if description.task == CLASSIFICATION else save_task_network
            save(path, network, description)
        else:
            write_whole(path, content)
        beside = None if target.beside is None else path.with_suffix(f".{target.beside}")
        yield Exported(
            format=name,
            path=path,
            beside=beside,
            difference=difference,
            bound=bound,
            outputs=dict(zip(serving.outputs, shapes, strict=True)),
        )


def require_installed(formats: Sequence[str]) -> None:
    """Raise if a module that one of the formats needs is not installed.

    Raises:
        ExportError: A module is missing; the message says how to install it.
    """
    for name in formats:
        missing = [module for module in FORMATS[name].needs if find_spec(module) is None]
        if missing:
            raise ExportError(
                f"format {name} needs {', '.join(missing)}: pip install 'relativenas-optuna[onnx]'"
            )


@torch.no_grad()
def _compared(
    serving: ServingNetwork, run: Run, *, exact: bool
) -> tuple[float, float, list[tuple[int, ...]]]:
    """Compare the outputs of a file with those of the network, for all `BATCHES`.

    Returns:
        The largest difference of an output and its bound, for the output where the difference is
        largest as a share of the bound; and the shapes of all outputs without the batch.
    """
    of = serving.description
    generator = torch.Generator().manual_seed(0)
    differences, largest = [torch.zeros(())] * _MOST, [torch.ones(())] * _MOST
    shapes: list[tuple[int, ...]] = []
    for count in BATCHES:
        images = torch.rand(count, of.in_channels, *of.size, generator=generator)
        theirs, ours = _listed(run(images)), _listed(serving(images))
        shapes = [tuple(output.shape[1:]) for output in ours]
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            # maximum, unlike Python's max, keeps a NaN.
            found = (one - other).abs().max()
            differences[number] = torch.maximum(differences[number], found)
            largest[number] = torch.maximum(largest[number], other.abs().max())
    shares = torch.stack(differences) / torch.stack(largest)
    worst = int(shares.argmax())  # a NaN counts as the largest
    bound = 0.0 if exact else BOUND * float(largest[worst])
    return float(differences[worst]), bound, shapes


def _listed(outputs: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)
