"""The errors of the package that users may want to catch: one plain line each."""

from __future__ import annotations

from relativenas_optuna._utils.passwords import without_password


class SearchError(ValueError):
    """A search that cannot be begun or gone on with; the message is one line that says why."""


class FolderInUseError(SearchError):
    """Another process has the folder; the message is one line that says what to do."""


class StorageError(ValueError):
    """A storage that cannot be opened. The message is one line without the password."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(without_password(message).split()))


class StoredTextError(ValueError):
    """A name or text that the database cannot store as it is; nothing was written."""


class PlaceError(ValueError):
    """A place where no weights can be; the message is one line that says why."""


class SettingsError(ValueError):
    """An argument that is out of range, or is not what the study was begun with."""


class DataError(ValueError):
    """Images cannot be used as they are; the message is one line that says why."""


class ProtocolError(ValueError):
    """A space or a supernet breaks its protocol; the message is one line that says where."""


class DivergedError(ValueError):
    """A training whose loss or weights are no numbers any more; the message is one line."""


class ExportError(ValueError):
    """A network cannot be exported; the message is one line that says why."""


class DamagedFileError(ValueError):
    """A file that is missing, or is not what was written; the message is one line."""


class SpaceError(ValueError):
    """A search space that cannot be taken; the message is one line that says why."""


class TellError(ValueError):
    """What cannot be told; the message is one line that says why. Nothing was stored."""
