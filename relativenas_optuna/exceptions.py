"""The errors of the package that users may want to catch.

Each message is one line that says what is wrong.
"""

from __future__ import annotations

from relativenas_optuna._utils.passwords import without_password


class SearchError(ValueError):
    """Error raised if a search cannot be started, continued or read from its study."""


class FolderInUseError(SearchError):
    """Error raised if another process uses the folder; the message says what to do."""


class StorageError(ValueError):
    """Error raised if a storage cannot be opened; the message does not contain the password."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(without_password(message).split()))


class StoredTextError(ValueError):
    """Error raised if the database cannot store a name or text unchanged; nothing was written."""


class PlaceError(ValueError):
    """Error raised if a folder or bucket cannot be used for the weights."""


class SettingsError(ValueError):
    """Error raised if an argument is out of range, or the study was started with another value."""


class DataError(ValueError):
    """Error raised if images are missing or cannot be used as they are."""


class ProtocolError(ValueError):
    """Error raised if a search space or supernet breaks its protocol; the message says where."""


class DivergedError(ValueError):
    """Error raised if the loss or the weights of a training become NaN or infinite."""


class ExportError(ValueError):
    """Error raised if a network cannot be exported."""


class DamagedFileError(ValueError):
    """Error raised if a file is missing or its content is not what was written."""


class SpaceError(ValueError):
    """Error raised if a search space cannot be loaded or used."""


class TaskError(ValueError):
    """Error raised if a task cannot be loaded, or does not fit a network's file."""


class TellError(ValueError):
    """Error raised if a trial's result cannot be reported; nothing was stored."""
