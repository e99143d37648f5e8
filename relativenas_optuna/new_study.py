"""A study for a search: gone on with, or made and left only where a search began in it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import OptunaError

from relativenas_optuna.out_folder import FolderInUseError
from relativenas_optuna.plan import PLAN_ATTRIBUTE, open_study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage


@contextmanager
def study_to_search(storage: BaseStorage, name: str) -> Iterator[optuna.Study]:
    """The study of that name, made where it is missing.

    Where it was made here, and an error ends the block before a search is planned in it, it is
    deleted again: a mistake leaves nothing behind. The same command that was given twice is none:
    the other process has the folder, and is about to search this very study.
    """
    known = name in optuna.get_all_study_names(storage)
    study = open_study(storage, name, create=True)
    try:
        yield study
    except FolderInUseError:
        raise
    except BaseException:  # Ctrl-C while pictures are read too
        # The error in the block is the one to be heard of.
        with suppress(OptunaError, KeyError):
            if not known and not study.user_attrs.get(PLAN_ATTRIBUTE) and not study.trials:
                optuna.delete_study(study_name=name, storage=storage)
        raise
