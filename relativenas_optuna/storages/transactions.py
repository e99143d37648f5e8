"""Helpers for this package's own transactions on Optuna's SQL databases."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna import Study
    from optuna.storages import BaseStorage

Result = TypeVar("Result")

_ATTEMPTS = 5
_PAUSE = 0.2  # seconds at most, where another transaction was in the way


def database_of(storage: BaseStorage) -> RDBStorage:
    """Return the SQL storage that a study's storage is, or that its cache wraps.

    Raises:
        TypeError: The storage is not a SQL storage.
    """
    backend = storage._backend if isinstance(storage, _CachedStorage) else storage
    if not isinstance(backend, RDBStorage):
        raise TypeError(f"{type(storage).__name__} is no SQL storage")
    return backend


def is_deleted(study: Study) -> bool:
    """Return True if a study is certainly deleted; False if the storage cannot be read now."""
    storage = study._storage
    # Optuna's cache remembers names.
    backend = storage._backend if isinstance(storage, _CachedStorage) else storage
    try:
        # Some databases give the id of a deleted study to the next one.
        return backend.get_study_name_from_id(study._study_id) != study.study_name
    except KeyError:
        return True
    except Exception:  # of any storage, which cannot be asked now
        return False


def persist(transaction: Callable[[], Result]) -> Result:
    """Run a transaction, up to five times if a deadlock or a time-out ends it.

    Raises:
        StorageInternalError: The last attempt failed.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return transaction()
        except StorageInternalError:
            time.sleep(random.random() * _PAUSE)
    return transaction()
