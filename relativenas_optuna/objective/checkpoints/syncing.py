"""Weight sets of this process, brought to the newest committed version."""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from relativenas_optuna.networks.io.supernet_facts import differences, facts
from relativenas_optuna.networks.io.tensors_file import to_bytes
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relativenas_optuna.objective.checkpoints.ledger import Found, Ledger
    from relativenas_optuna.objective.checkpoints.parts import Stored, Version
    from relativenas_optuna.objective.checkpoints.record import Record
    from relativenas_optuna.objective.weight_set import WeightSet

_FACTS = "network"  # in a file's metadata


@dataclass(frozen=True, eq=False)
class _Held:
    """What a weight set was last brought to, and the content of its file."""

    version: Version
    content: bytes


class Syncing:
    """Brings weight sets to what a ledger's pointer names.

    Args:
        ledger: Of the search.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: WeakKeyDictionary[WeightSet, _Held] = WeakKeyDictionary()

    def sync(self, weights: WeightSet) -> tuple[str | None, Record | None]:
        """See `Checkpoint.sync`; returns the pointer's text too."""
        while True:
            text, record = self._ledger.read()
            if record is None or not record.versions or self._is_at(weights, record.versions[0]):
                return text, record
            found = self._ledger.newest(text, record)
            if found is None:
                continue
            version, file, problem = found
            with fitting(version.file, file, weights):
                weights.restore(file.tensors, version=version.version)
            self.bring(weights, version, file.content)
            if problem is None:
                return text, record
            healed = replace(record, versions=(version,))
            if self._ledger.advance(text, healed):
                warnings.warn(
                    f"{problem}; the search goes on from the weights before, of version "
                    f"{version.version}",
                    stacklevel=4,
                )

    def content(self, weights: WeightSet) -> bytes:
        """The file that a weight set was brought to."""
        return self._held[weights].content

    def bring(self, weights: WeightSet, version: Version, content: bytes) -> None:
        """Note what a weight set was brought to."""
        self._held[weights] = _Held(version, content)

    def first(self, weights: WeightSet) -> bytes:
        """The file of weights that nobody committed yet."""
        metadata = {"search": self._ledger.search, _FACTS: json.dumps(facts(weights.supernet))}
        return to_bytes(weights.snapshot(), metadata)

    def _is_at(self, weights: WeightSet, version: Version) -> bool:
        held = self._held.get(weights)
        return held is not None and held.version == version and weights.version == version.version


@contextmanager
def fitting(file: Stored, found: Found, weights: WeightSet) -> Iterator[None]:
    """Say in what a file's weights differ from those that a weight set takes.

    Raises:
        ValueError: They do, by what the file says of them, or else by the tensors in it.
    """
    begin = f"weights file {file.name!r} holds weights of another"
    different = differences(_told(found), facts(weights.supernet))
    if different:
        raise ValueError(
            f"{begin} supernet, which this search cannot go on with: {'; '.join(different)}"
        )
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{begin} shape, which this search cannot go on with: {error}") from error


def _told(found: Found) -> Any:
    """What a file says of its supernet; files of before say nothing."""
    try:
        return json.loads(found.metadata.get(_FACTS, "{}"))
    except UNREADABLE:
        return {}
