"""The trained-network file: weights and the description of their network in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.networks.io.description import NetworkDescription
from relativenas_optuna.networks.io.foreign_state import (
    in_single_precision,
    unwrapped,
    with_counters,
)
from relativenas_optuna.networks.io.state_dicts import require_fit
from relativenas_optuna.networks.io.tensors_file import from_bytes, load, to_bytes
from relativenas_optuna.networks.io.torch_file import read_pt

__all__ = [
    "NetworkDescription",
    "StoredNetwork",
    "load_network",
    "network_bytes",
    "network_of",
    "read_weights",
    "save_network",
    "stored_in_bytes",
]

SUFFIX = ".safetensors"
_KEY = "relativenas"


@dataclass(frozen=True)
class StoredNetwork:
    """The content of a file of trained weights.

    Attributes:
        state: The tensors by the names of a network's state dict, on the CPU.
        description: Description of the network; None if the file holds only weights.
        where: Name of the file for messages.
    """

    state: Mapping[str, Tensor]
    description: NetworkDescription | None
    where: str


def network_bytes(
    network: nn.Module, description: NetworkDescription, *, blank: nn.Module | None = None
) -> bytes:
    """Return the content of a trained-network file.

    Args:
        network: Network on any device.
        description: Description of the network.
        blank: A network as described, for a task other than classification; None to build it.

    Raises:
        ValueError: The network is not the one described, or holds numbers that are not finite.
    """
    state = network.state_dict()
    expected = description.build(meta=True) if blank is None else blank
    require_fit(expected.state_dict(), state, "the network to be saved")
    return to_bytes(state, {_KEY: description.to_json()})


def save_network(
    path: str | Path,
    network: nn.Module,
    description: NetworkDescription,
    *,
    blank: nn.Module | None = None,
) -> Path:
    """Write a trained network as a safetensors file, and its description beside it as JSON.

    Each file is written whole or not at all. The safetensors file contains the description too.

    Args:
        path: Path of the safetensors file, which ends in `.safetensors`. The JSON file has the
            same name with the ending `.json`.
        network: Network on any device.
        description: Description of the network.
        blank: A network as described, for a task other than classification; None to build it.

    Returns:
        Path of the safetensors file.

    Raises:
        ValueError: The path has another ending, the network is not the one described, or it holds
            numbers that are not finite.
        OSError: A file cannot be written.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f"path must end in {SUFFIX}, got {str(path)!r}")
    content = network_bytes(network, description, blank=blank)
    fields = json.loads(description.to_json()).items()
    lines = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in fields]
    readable = "\n".join(["{", ",\n".join(lines), "}", ""])
    write_whole(path.with_suffix(".json"), readable.encode())
    write_whole(path, content)
    return path


def load_network(path: str | Path) -> tuple[Any, NetworkDescription]:
    """Load a network from a file that `save_network` wrote; no code in the file is executed.

    Returns:
        The network on the CPU in training mode, and its description. The network is a
        `CellNetwork` for a pair of cells, and another `torch.nn.Module` for other spaces.

    Raises:
        ValueError: The file is missing, damaged or cut short, is not a trained-network file, or its
            weights are not those of the described network. One line says why.
    """
    return network_of(read_weights(path), path)


def stored_in_bytes(content: bytes) -> StoredNetwork:
    """Read the content of a safetensors file, as `read_weights` does."""
    return _stored(*from_bytes(content), "the content")


def read_weights(path: str | Path) -> StoredNetwork:
    """Read trained weights, of this package or published; no code in the file is executed.

    Args:
        path: Path of a safetensors file if it ends in `.safetensors`, otherwise of a file that
            `torch.save` wrote; see `read_pt`.

    Raises:
        ValueError: The file is missing, damaged or cut short, or does not hold weights. One line
            says why.
    """
    path = Path(path)
    where = f"weights file {str(path)!r}"
    if path.suffix != SUFFIX:
        return StoredNetwork(in_single_precision(read_pt(path)), None, where)
    return _stored(*load(path), where)


def _stored(state: Mapping[str, Tensor], metadata: Mapping[str, str], where: str) -> StoredNetwork:
    if _KEY not in metadata:
        return StoredNetwork(in_single_precision(unwrapped(state)), None, where)
    try:
        return StoredNetwork(state, NetworkDescription.from_json(metadata[_KEY]), where)
    except ValueError as error:
        raise ValueError(f"{where} describes no network: {error}") from None


def network_of(stored: StoredNetwork, path: str | Path = "FILE") -> tuple[Any, NetworkDescription]:
    """Return the classifier of read weights that describe it, as `load_network` does."""
    if stored.description is None:
        raise ValueError(
            f"{stored.where} holds weights alone, and does not say of which network: name the "
            f"architecture, as in build('RelativeNAS', 'cifar10', weights={str(path)!r})"
        )
    try:
        network = stored.description.build(meta=True)
    except ValueError as error:
        raise ValueError(f"{stored.where} describes no network: {error}") from None
    state = with_counters(network.state_dict(), stored.state)
    require_fit(network.state_dict(), state, stored.where)
    network.load_state_dict(state, strict=True, assign=True)
    return network, stored.description
