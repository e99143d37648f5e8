"""Files of the weights that networks of the finals have after their rungs."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.checked_fields import from_data
from relativenas_optuna.networks.io.tensors_file import load, save
from relativenas_optuna.search.finals.scores import RungScore
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_ENTRY = "final"  # of a file's metadata


class RungFiles:
    """A folder with a file of weights for each network and rung.

    The arguments of a training identify a file: they are JSON data with all that its weights depend
    on, except the device.

    Args:
        folder: Folder of the files, made when the first one is written; None to keep no files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def write(
        self, arguments: Mapping[str, Any], weights: Mapping[str, Tensor], score: RungScore
    ) -> None:
        """Write the weights and the score of a training.

        Raises:
            OSError: The file cannot be written.
        """
        path = self._file(arguments)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            entry = json.dumps({"arguments": arguments, "score": asdict(score)})
            save(path, weights, {_ENTRY: entry})

    def read(self, arguments: Mapping[str, Any]) -> tuple[RungScore, Mapping[str, Tensor]] | None:
        """Return the score and the weights of a training; None without a readable file."""
        path = self._file(arguments)
        if path is None or not path.exists():
            return None
        try:
            tensors, metadata = load(path)
            entry = json.loads(metadata[_ENTRY])
            if entry["arguments"] != arguments:
                return None
            return from_data(RungScore, entry["score"]), tensors
        except UNREADABLE:
            return None

    def _file(self, arguments: Mapping[str, Any]) -> Path | None:
        if self._folder is None:
            return None
        name = sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:24]
        return self._folder / f"final-{name}.safetensors"
