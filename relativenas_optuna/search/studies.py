"""Open or create the study of a search."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import DuplicatedStudyError, OptunaError

from relativenas_optuna.exceptions import FolderInUseError
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE
from relativenas_optuna.search.study_access import deletion_reported
from relativenas_optuna.storages.transactions import is_deleted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage


@contextmanager
def study_to_search(storage: BaseStorage, name: str) -> Iterator[optuna.Study]:
    """Open the study named `name`, or create it if it is missing.

    If this call created the study and an error ends the block before the study has a plan or a
    trial, the study is deleted again. `FolderInUseError` is an exception: it means that the same
    command was given twice, and that the other process is about to search this study.

    Raises:
        SearchError: The study was deleted while the block ran.
    """
    study, made = _opened_or_made(storage, name)
    try:
        with deletion_reported(study):
            yield study
    except FolderInUseError:
        raise
    except BaseException:  # also Ctrl-C while images are read
        # An error while deleting must not hide the error of the block.
        with suppress(OptunaError, KeyError):
            begun = study.user_attrs.get(PLAN_ATTRIBUTE) or study.trials
            if made and not begun and not is_deleted(study):
                storage.delete_study(study._study_id)
        raise


def _opened_or_made(storage: BaseStorage, name: str) -> tuple[optuna.Study, bool]:
    """Return the study of that name, and True if this call created it."""
    with suppress(KeyError):
        return optuna.load_study(study_name=name, storage=storage), False
    try:
        study = optuna.create_study(study_name=name, storage=storage, direction="minimize")
    except DuplicatedStudyError:  # another process created it at this moment
        return optuna.load_study(study_name=name, storage=storage), False
    return study, True
