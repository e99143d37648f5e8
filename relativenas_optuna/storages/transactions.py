"""What the sampler's own transactions on Optuna's SQL databases share."""

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
    """The SQL storage that is, or is behind, a study's storage.

    Raises:
        TypeError: There is none.
    """
    backend = storage._backend if isinstance(storage, _CachedStorage) else storage
    if not isinstance(backend, RDBStorage):
        raise TypeError(f"{type(storage).__name__} is no SQL storage")
    return backend


def is_deleted(study: Study) -> bool:
    """Return True if a study is surely not in its storage any more."""
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
    """Run a transaction, some more times where a deadlock or a long wait breaks it off.

    Raises:
        StorageInternalError: The last attempt failed.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return transaction()
        except StorageInternalError:
            time.sleep(random.random() * _PAUSE)
    return transaction()
