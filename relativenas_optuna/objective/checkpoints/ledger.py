"""The pointer and the files of a search, read and written together."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.networks.io.tensors_file import from_bytes
from relativenas_optuna.objective.checkpoints.artifact_files import ArtifactFiles
from relativenas_optuna.objective.checkpoints.folder_store import FolderStore
from relativenas_optuna.objective.checkpoints.parts import Version
from relativenas_optuna.objective.checkpoints.record import Record
from relativenas_optuna.objective.checkpoints.store import Store, new_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optuna.artifacts._protocol import ArtifactStore
    from torch import Tensor

    from relativenas_optuna.objective.checkpoints.parts import Stored
    from relativenas_optuna.objective.checkpoints.pointer import Pointer


@dataclass(frozen=True, eq=False)
class Found:
    """A file that was read.

    Attributes:
        content: All of it.
        tensors: In it, on the CPU.
        metadata: In it.
    """

    content: bytes
    tensors: dict[str, Tensor]
    metadata: dict[str, str]


class Ledger:
    """What a search has in a store, and which of it counts.

    Args:
        store: Of the files.
        pointer: To those that count.
        search: Identifies the search.
    """

    def __init__(self, store: Store, pointer: Pointer, search: str) -> None:
        self.search = search
        self._store = store
        self._pointer = pointer

    def read(self) -> tuple[str | None, Record | None]:
        """The pointer's text, and what it says; twice `None` before anything was kept.

        Raises:
            OSError, StorageInternalError: The pointer cannot be read.
            ValueError: It is of another search or study, or is none.
        """
        text = self._pointer.read()
        if text is None:
            return None, None
        try:
            record = Record.from_text(text)
        except ValueError as error:
            raise ValueError(f"{self._pointer.place}: {error}") from error
        if record.search != self.search:
            raise ValueError(
                f"{self._pointer.place} points to the weights of another search: give another "
                f"study or folder"
            )
        own = self._pointer.study
        if None not in (own, record.study) and own != record.study:
            raise ValueError(
                f"study {own!r} is a copy of study {record.study!r}, which would lose its weights "
                f"if this one went on: go on with {record.study!r}, or begin a new study; where "
                f"{record.study!r} is no more, copy this one to that name"
            )
        return text, record

    def is_at(self, text: str | None) -> bool:
        """Whether the pointer still has this text."""
        return self._pointer.read() == text

    def advance(self, expected: str | None, record: Record) -> bool:
        """Let the pointer say something new, if it still has the expected text.

        Raises:
            OSError, StorageInternalError: It cannot be written; whether it was is not known.
            ValueError: The record has no room for its learners that wait.
        """
        named = replace(record, study=self._pointer.study)
        return self._pointer.advance(expected, named.to_text())

    def put(self, label: str, content: bytes) -> Stored:
        """Write a file; it counts when the pointer names it."""
        return self._store.put(new_name(self.search, label), content)

    def put_version(self, version: int, content: bytes) -> Version:
        """Write all weights as they are after so many commits."""
        return Version(version=version, file=self.put(f"{version:06}", content))

    def get(self, file: Stored) -> Found:
        """Read a file.

        Raises:
            DamagedFileError: It is missing or damaged.
        """
        content = self._store.get(file)
        try:
            tensors, metadata = from_bytes(content)
        except ValueError as error:
            raise DamagedFileError(f"weights file {file.name!r} is damaged: {error}") from error
        return Found(content=content, tensors=tensors, metadata=metadata)

    def holds(self, file: Stored) -> bool:
        """Whether a file is there, whole or not."""
        return self._store.holds(file)

    def newest(self, text: str | None, record: Record) -> tuple[Version, Found, str | None] | None:
        """The newest weights that are whole, and what is wrong with newer ones.

        Args:
            text: Of the pointer.
            record: What it says, with one version at least.

        Returns:
            `None` where the pointer says something else by now.

        Raises:
            ValueError: None are whole.
        """
        problems: list[str] = []
        for version in record.versions:
            try:
                found = self.get(version.file)
            except DamagedFileError as error:
                # Others may have committed and removed meanwhile, which is no damage.
                if not self.is_at(text):
                    return None
                problems.append(str(error))
            else:
                return version, found, problems[0] if problems else None
        raise ValueError(
            f"{' and '.join(problems)}; {self._store} has no other weights of this search: bring "
            f"them back, or begin a new study"
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work while nobody else of this machine does, if possible; first clean up after them."""
        with self._store.lock() as alone:
            record = self.read()[1]
            if record is not None:  # else the pointer is lost, perhaps, and these are all there is
                self._store.clean(record.names, search=self.search, alone=alone)
            yield

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that do not count; one that cannot be removed is warned of."""
        for name in sorted(names):
            try:
                self._store.remove(name)
            except Exception as error:  # no reason to end a search
                warnings.warn(f"weights file {name!r} could not be removed: {error}", stacklevel=3)


def store_of(place: str | Path | Store | ArtifactStore) -> Store:
    """The store that a folder or an artifact store of Optuna's is; or itself, if it is one.

    Raises:
        OSError: The folder cannot be made or written to.
        TypeError: It is none of these.
    """
    if isinstance(place, str | Path):
        return FolderStore(place)
    if isinstance(place, Store):
        return place
    if not hasattr(place, "open_reader"):
        raise TypeError(f"place must be a folder or an artifact store of Optuna's; got {place!r}")
    return ArtifactFiles(place)
