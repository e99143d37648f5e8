"""The errors of the package that users may want to catch: one plain line each."""

from __future__ import annotations

from relativenas_optuna._utils.passwords import without_password


class SearchError(ValueError):
    """The error of a search that cannot be started or continued; the message is one line."""


class FolderInUseError(SearchError):
    """The error of a folder that another process uses; the message is one line."""


class StorageError(ValueError):
    """The error of a storage that cannot be opened; the message is one line, without password."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(without_password(message).split()))


class StoredTextError(ValueError):
    """The error of a name or text that the database cannot store unchanged; nothing is written."""


class PlaceError(ValueError):
    """The error of a place that cannot store weights; the message is one line."""


class SettingsError(ValueError):
    """The error of an argument that is out of range or differs from the study's stored one."""


class DataError(ValueError):
    """Images cannot be used as they are; the message is one line that says why."""


class ProtocolError(ValueError):
    """A space or a supernet breaks its protocol; the message is one line that says where."""


class DivergedError(ValueError):
    """The error of a training whose loss or weights are not finite; the message is one line."""


class ExportError(ValueError):
    """A network cannot be exported; the message is one line that says why."""


class DamagedFileError(ValueError):
    """The error of a file that is missing or differs from what was written."""


class SpaceError(ValueError):
    """A search space that cannot be taken; the message is one line that says why."""


class TellError(ValueError):
    """What cannot be told; the message is one line that says why. Nothing was stored."""
