"""Studies in SQL databases.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import StorageError, StoredTextError
    from relativenas_optuna.storages.opening import open_storage
    from relativenas_optuna.storages.timeouts import StorageTimeoutError

__all__ = [
    "StorageError",
    "StorageTimeoutError",
    "StoredTextError",
    "open_storage",
]

_HOMES = {
    "StorageError": "exceptions",
    "StorageTimeoutError": "storages.timeouts",
    "StoredTextError": "exceptions",
    "open_storage": "storages.opening",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
