"""A trained network in the formats that other programs load, each compared with the original."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.evaluation.exporting.export_forms import FORMS, Run, traced
from relativenas_optuna.evaluation.exporting.serving import ServingNetwork
from relativenas_optuna.exceptions import ExportError
from relativenas_optuna.networks.io.network_file import save_network

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from relativenas_optuna.networks.io.description import NetworkDescription
    from relativenas_optuna.networks.network import CellNetwork

BATCHES = (1, 3)
"""Sizes of the batches that are compared."""
BOUND = 1e-4
"""Largest difference of a logit, in units of the largest logit where that is above 1: what is left
of float32 in a deep network that adds up in another order."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that gives what the network gives.

    Attributes:
        form: Name of the format.
        path: Of the file.
        beside: Of one that was written too, if any.
        difference: Largest difference of a logit from those of the network.
        bound: Up to which that is taken for rounding.
    """

    form: str
    path: Path
    beside: Path | None
    difference: float
    bound: float


def export(
    network: CellNetwork, description: NetworkDescription, forms: Sequence[str], stem: Path
) -> Iterator[Exported]:
    """Write a network in some formats. What gives other logits when loaded again is not written.

    A program in ONNX or of torch.export takes float32 images `[b, c, h, w]` in [0, 1], any
    number of them and of the size that the network was trained with, normalises them, and gives
    logits `[b, classes]`. It carries the description of the network.

    Args:
        network: On the CPU, trained; it is put in evaluation mode.
        description: Of the network.
        forms: Of `FORMS`.
        stem: Path of the files without their suffix; the folder exists.

    Yields:
        What was written, file by file.

    Raises:
        ExportError: What a format needs is not installed, or the file would give other logits.
        OSError: A file cannot be written.
    """
    require_installed(forms)
    serving = ServingNetwork(network, description)

    @cache
    def program() -> ExportedProgram:
        return traced(serving)

    for name in forms:
        form = FORMS[name]
        content = form.content(serving, program)
        difference, bound = _compared(serving, form.loaded(content), exact=form.exact)
        if not difference <= bound:  # so for NaN too
            raise ExportError(
                f"format {name}: what is loaded gives logits that differ by {difference:.3g}, more "
                f"than the {bound:.3g} of rounding; the file is not written"
            )
        path = stem.with_name(f"{stem.name}.{form.suffix}")
        if name == "safetensors":
            save_network(path, network, description)
        else:
            write_whole(path, content)
        beside = None if form.beside is None else path.with_suffix(f".{form.beside}")
        yield Exported(form=name, path=path, beside=beside, difference=difference, bound=bound)


def require_installed(forms: Sequence[str]) -> None:
    """Refuse formats for which something is not installed.

    Raises:
        ExportError: The message says how to install it.
    """
    for name in forms:
        missing = [module for module in FORMS[name].needs if find_spec(module) is None]
        if missing:
            raise ExportError(
                f"format {name} needs {', '.join(missing)}: pip install 'relativenas-optuna[onnx]'"
            )


@torch.no_grad()
def _compared(serving: ServingNetwork, run: Run, *, exact: bool) -> tuple[float, float]:
    """The largest difference of a logit over batches of different size, and its bound."""
    of = serving.description
    generator = torch.Generator().manual_seed(0)
    difference, largest = torch.zeros(()), torch.ones(())
    for count in BATCHES:
        images = torch.rand(count, of.in_channels, *of.size, generator=generator)
        theirs, ours = run(images), serving(images)
        # maximum, unlike Python's max, keeps a NaN.
        difference = torch.maximum(difference, (theirs - ours).abs().max())
        largest = torch.maximum(largest, ours.abs().max())
    return float(difference), 0.0 if exact else BOUND * float(largest)
