"""The pointer and the files of a search together, and weight sets that follow the newest ones."""

from __future__ import annotations

import json
import warnings
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.networks.io.supernet_facts import differences, facts
from relativenas_optuna.networks.io.tensors_file import from_bytes, to_bytes
from relativenas_optuna.objective.checkpoints.artifact_files import ArtifactFiles
from relativenas_optuna.objective.checkpoints.record import Record, Version
from relativenas_optuna.objective.checkpoints.store import FolderStore, Store, new_name
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optuna.artifacts._protocol import ArtifactStore
    from torch import Tensor

    from relativenas_optuna.objective.checkpoints.pointer import Pointer
    from relativenas_optuna.objective.checkpoints.store import StoredFile
    from relativenas_optuna.objective.weight_set import WeightSet

_FACTS = "network"  # key in a file's metadata


@dataclass(frozen=True, eq=False)
class LoadedFile:
    """A weights file in memory.

    Attributes:
        content: All bytes of the file.
        tensors: Its tensors by name, on the CPU.
        metadata: Its texts by name.
    """

    content: bytes
    tensors: dict[str, Tensor]
    metadata: dict[str, str]


class Ledger:
    """The files of a search in a store, and the pointer to those that count.

    Args:
        store: Store of the files.
        pointer: Pointer of the search.
        search: Identifier of the search.
    """

    def __init__(self, store: Store, pointer: Pointer, search: str) -> None:
        self.search = search
        self._store = store
        self._pointer = pointer

    def read(self) -> tuple[str | None, Record | None]:
        """Return the pointer's text and its record; None and None before anything was stored.

        Raises:
            OSError, StorageInternalError: The pointer cannot be read.
            ValueError: The pointer is of another search or study, or is not readable.
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
        """Return True if the pointer still has this text."""
        return self._pointer.read() == text

    def advance(self, expected: str | None, record: Record) -> bool:
        """Store a new record in the pointer if the pointer still has the expected text.

        Returns:
            True if the pointer has the new record now.

        Raises:
            OSError, StorageInternalError: The write failed; the pointer may be written or not.
            ValueError: Too many learners wait for one record.
        """
        named = replace(record, study=self._pointer.study)
        return self._pointer.advance(expected, named.to_text())

    def put(self, label: str, content: bytes) -> StoredFile:
        """Write a file. It counts once the pointer names it."""
        return self._store.put(new_name(self.search, label), content)

    def put_version(self, version: int, content: bytes) -> Version:
        """Write the file of all weights after a number of commits."""
        return Version(version=version, file=self.put(f"{version:06}", content))

    def get(self, file: StoredFile) -> LoadedFile:
        """Read a file.

        Raises:
            DamagedFileError: The file is missing or damaged.
        """
        content = self._store.get(file)
        try:
            tensors, metadata = from_bytes(content)
        except ValueError as error:
            raise DamagedFileError(f"weights file {file.name!r} is damaged: {error}") from error
        return LoadedFile(content=content, tensors=tensors, metadata=metadata)

    def holds(self, file: StoredFile) -> bool:
        """Return True if a file exists, damaged or not."""
        return self._store.holds(file)

    def newest(
        self, text: str | None, record: Record
    ) -> tuple[Version, LoadedFile, str | None] | None:
        """Read the newest undamaged weights.

        Args:
            text: Text of the pointer.
            record: Record of the pointer, with at least one version.

        Returns:
            The version, its file, and the error of a newer file, if any; None if the pointer has
            changed meanwhile.

        Raises:
            ValueError: All versions are missing or damaged.
        """
        problems: list[str] = []
        for version in record.versions:
            try:
                found = self.get(version.file)
            except DamagedFileError as error:
                # Others may have committed and removed the file meanwhile, which is no damage.
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
    def locked(self) -> Iterator[None]:
        """Lock the store if possible, and remove the files that killed processes left."""
        with self._store.lock() as has_lock:
            record = self.read()[1]
            if (
                record is not None
            ):  # else the pointer may be lost, and the files are all that is left
                self._store.clean(record.file_names, search=self.search, has_lock=has_lock)
            yield

    def training_lock(self) -> AbstractContextManager[bool]:
        """Yield False if another process of this machine holds this lock, at least.

        In a store without locks it yields True.
        """
        if isinstance(self._store, FolderStore):
            return self._store.training_lock(self.search)
        return nullcontext(True)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that do not count; warn of a file that cannot be removed."""
        for name in sorted(names):
            try:
                self._store.remove(name)
            except Exception as error:  # no reason to end a search
                warnings.warn(f"weights file {name!r} could not be removed: {error}", stacklevel=3)


@dataclass(frozen=True, eq=False)
class _Loaded:
    version: Version
    content: bytes  # of its file


class LoadedVersions:
    """The versions that the weight sets of this process have loaded.

    Args:
        ledger: Ledger of the search.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._loaded: WeakKeyDictionary[WeightSet, _Loaded] = WeakKeyDictionary()

    def sync(self, weights: WeightSet) -> tuple[str | None, Record | None]:
        """Load the newest version, as `Checkpoint.sync`; return the pointer's text and record."""
        while True:
            text, record = self._ledger.read()
            if record is None or not record.versions or self._is_at(weights, record.versions[0]):
                return text, record
            found = self._ledger.newest(text, record)
            if found is None:
                continue
            version, file, problem = found
            with matching_supernet(version.file, file, weights):
                weights.restore(file.tensors, version=version.version)
            self.note(weights, version, file.content)
            if problem is None:
                return text, record
            if self._ledger.advance(text, replace(record, versions=(version,))):
                warnings.warn(
                    f"{problem}; the search goes on from the weights before, of version "
                    f"{version.version}",
                    stacklevel=4,
                )

    def content(self, weights: WeightSet) -> bytes:
        """Return the content of the file that a weight set has loaded."""
        return self._loaded[weights].content

    def note(self, weights: WeightSet, version: Version, content: bytes) -> None:
        """Note that a weight set has a version."""
        self._loaded[weights] = _Loaded(version, content)

    def whole_content(self, weights: WeightSet) -> bytes:
        """Return the content of a file with all present weights of a weight set."""
        metadata = {"search": self._ledger.search, _FACTS: json.dumps(facts(weights.supernet))}
        return to_bytes(weights.snapshot(), metadata)

    def _is_at(self, weights: WeightSet, version: Version) -> bool:
        loaded = self._loaded.get(weights)
        same = loaded is not None and loaded.version == version
        return same and weights.version == version.version


@contextmanager
def matching_supernet(file: StoredFile, loaded: LoadedFile, weights: WeightSet) -> Iterator[None]:
    """Raise if a weights file belongs to another supernet.

    The file's facts on its supernet are compared before the block. A ValueError of the block is
    raised again with a message that names the file.

    Raises:
        ValueError: The supernets differ; the message says in what.
    """
    begin = f"weights file {file.name!r} holds weights of another"
    different = differences(_facts_of(loaded), facts(weights.supernet))
    if different:
        raise ValueError(
            f"{begin} supernet, which this search cannot go on with: {'; '.join(different)}"
        )
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{begin} shape, which this search cannot go on with: {error}") from error


def _facts_of(loaded: LoadedFile) -> Any:
    """Return the facts in a file; {} for a waiting learner's, which has none."""
    try:
        return json.loads(loaded.metadata.get(_FACTS, "{}"))
    except UNREADABLE:
        return {}


def store_of(place: str | Path | Store | ArtifactStore) -> Store:
    """Return the store in a folder or in an Optuna artifact store, or the given store itself.

    Raises:
        OSError: The folder cannot be made or written to.
        TypeError: The argument is none of these.
    """
    if isinstance(place, str | Path):
        return FolderStore(place)
    if isinstance(place, Store):
        return place
    if not hasattr(place, "open_reader"):
        raise TypeError(f"place must be a folder or an artifact store of Optuna's; got {place!r}")
    return ArtifactFiles(place)
