"""The location of a search's weights: a folder, or a bucket of S3 or Google Cloud."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import ExperimentalWarning

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.exceptions import PlaceError
from relativenas_optuna.objective.checkpoints.pointer import WEIGHTS_KEY

if TYPE_CHECKING:
    from typing import BinaryIO

    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_PREFIX = re.compile(r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*")
_LONGEST_PREFIX = 800  # S3 and Google Cloud end at 1,024 bytes for prefix and name together
_PACKAGES = {"s3": "boto3", "gs": "google-cloud-storage"}
_WAYS = "a folder, s3://BUCKET[/PREFIX] or gs://BUCKET[/PREFIX]"


def checked_place(text: str) -> str:
    """Return a location in a form that is the same for all processes: an absolute path or a URL.

    Raises:
        PlaceError: The text is not a location for weights.
    """
    bucket = _Address.of(text)
    return str(Path(text).absolute()) if bucket is None else str(bucket)


def checkpoint_at(
    place: str, study: optuna.Study, *, search: str, writes: bool = False
) -> Checkpoint:
    """Return the checkpoint of a study's search at a location.

    Args:
        place: Location that `checked_place` returned.
        study: Study of the search. It must be in a SQL database if the location is a bucket.
        search: Identifier of the search.
        writes: True to test now that the bucket can be written to, before hours of training.

    Raises:
        OSError: The folder cannot be created, or the folder or bucket cannot be written to.
        PlaceError: The text is not a location for weights. Or a bucket needs a study in a SQL
            database, a missing package or credentials.
    """
    # These imports load PyTorch, which takes seconds.
    from relativenas_optuna.objective.checkpoints.artifact_files import ArtifactFiles
    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.objective.checkpoints.pointer import pointer_of
    from relativenas_optuna.objective.checkpoints.store import new_name
    from relativenas_optuna.storages.study_attributes import StudyPointer

    address = _Address.of(place)
    if address is None:
        return Checkpoint(place, pointer=pointer_of(study, place), search=search)
    try:
        pointer = StudyPointer(study, WEIGHTS_KEY)
    except TypeError as error:
        raise PlaceError(
            f"weights in {place} need a study in a SQL database, which says which of them count: "
            f"give its --storage, or a folder for the weights"
        ) from error
    files = ArtifactFiles(_Prefixed(address.store(), address.prefix), name=place)
    if writes:
        files.remove(files.put(new_name(search, "probe"), b"").name)
    return Checkpoint(files, pointer=pointer, search=search)


@dataclass(frozen=True)
class _Address:
    """A bucket, and the prefix of the names of the search's files in it."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return "/".join(part for part in (f"{self.scheme}://{self.bucket}", self.prefix) if part)

    @classmethod
    def of(cls, text: str) -> _Address | None:
        """Return the address that a text names; None if the text names a folder.

        Raises:
            PlaceError: The text names neither a bucket nor a folder.
        """
        if not text.strip() or "\0" in text:
            raise PlaceError(f"weights must be {_WAYS}; got {text!r}")
        match = _URL.fullmatch(text)
        if match is None:
            return None
        address = cls(match[1].lower(), match[2], match[3].strip("/"))
        shown = without_password(text)
        if "@" in address.bucket:
            raise PlaceError(
                f"weights must be {_WAYS}, without a user: keys come from the environment, as for "
                f"any program of the service; got {shown!r}"
            )
        if address.scheme not in _PACKAGES or not _BUCKET.fullmatch(address.bucket):
            raise PlaceError(f"weights must be {_WAYS}; got {shown!r}")
        prefix = address.prefix
        if prefix and (len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix)):
            raise PlaceError(
                f"the prefix of weights must be at most {_LONGEST_PREFIX} letters, digits, dots, "
                f"dashes, underscores, equals signs and single slashes; got {shown!r}"
            )
        return address

    def store(self) -> ArtifactStore:
        """Return Optuna's artifact store of the bucket, with the environment's keys and region.

        Raises:
            PlaceError: The service's package is missing, or the environment has no valid keys.
        """
        kinds = {"s3": "Boto3ArtifactStore", "gs": "GCSArtifactStore"}
        try:
            with warnings.catch_warnings():
                # Optuna warns that the interface of its stores may change.
                warnings.simplefilter("ignore", ExperimentalWarning)
                kind = getattr(optuna.artifacts, kinds[self.scheme])
                store: ArtifactStore = kind(self.bucket)
        except ImportError as error:
            package = _PACKAGES[self.scheme]
            raise PlaceError(
                f"weights in {self} need the Python package {package}, which is not installed: "
                f"pip install {package}"
            ) from error
        except Exception as error:  # such as no credentials or no profile; each library has its own
            reason = " ".join(str(error).split())
            raise PlaceError(f"weights in {self} cannot be reached: {reason}") from error
        return store


class _Prefixed:
    """An artifact store that puts a prefix before each name, which Optuna's stores cannot do."""

    def __init__(self, store: ArtifactStore, prefix: str) -> None:
        self._store = store
        self._prefix = f"{prefix}/" if prefix else ""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open an artifact, as the stores of `optuna.artifacts` do."""
        return self._store.open_reader(f"{self._prefix}{artifact_id}")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self._store.write(f"{self._prefix}{artifact_id}", content_body)

    def remove(self, artifact_id: str) -> None:
        try:
            self._store.remove(f"{self._prefix}{artifact_id}")
        except Exception as error:
            # An artifact that is already removed is no error on S3, but one on Google Cloud.
            if getattr(error, "code", None) != HTTPStatus.NOT_FOUND:
                raise
