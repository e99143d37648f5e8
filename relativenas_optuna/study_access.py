"""Studies that commands open, and the one line for a study that is deleted meanwhile."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from relativenas_optuna._signals import Interrupted
from relativenas_optuna.plan import SearchError, open_study
from relativenas_optuna.samplers.sql import is_deleted
from relativenas_optuna.storage import storage_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna

_PAUSES = (0.1, 0.4, 1.0)  # seconds


@contextmanager
def study_at(url: str, name: str, **options: Any) -> Iterator[optuna.Study]:
    """Open an existing study, and close the connections to its database in the end.

    Args:
        url: URL of the storage.
        name: Name of the study.
        options: Arguments of `open_storage`.

    Raises:
        SearchError: The study is missing, or was deleted while the block ran.
    """
    with storage_at(url, **options) as storage:
        study = open_study(storage, name, create=False)
        with deletion_reported(study):
            yield study


@contextmanager
def deletion_reported(study: optuna.Study) -> Iterator[None]:
    """Raise one clear error in place of any error of the block if the study was deleted.

    A deleted study shows as many different errors: a missing record, a broken foreign key, or an
    assertion of Optuna.

    Raises:
        SearchError: The study was deleted.
    """
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        if not _is_deleted(study, error):
            raise
        raise SearchError(
            f"study {study.study_name!r} was deleted while this command ran, and its trials are "
            f"gone: create a new study, or name another --study"
        ) from error


def _is_deleted(study: optuna.Study, error: Exception) -> bool:
    """Return True if a study is deleted, at the latest a second or so after a database's error."""
    pauses = _PAUSES if isinstance(error, SQLAlchemyError | StorageInternalError) else ()
    # A database may break off what this process writes in favour of a deletion that goes on.
    for pause in pauses:
        if is_deleted(study):
            return True
        time.sleep(pause)
    return is_deleted(study)
