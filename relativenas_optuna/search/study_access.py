"""Open and check the studies of commands, and report a study that is deleted meanwhile."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.transactions import is_deleted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage

    from relativenas_optuna.spaces.protocol import Space

_PAUSES = (0.1, 0.4, 1.0)  # seconds


@contextmanager
def study_at(url: str, name: str, **options: Any) -> Iterator[optuna.Study]:
    """Open an existing study, and close its database connections after the block.

    Args:
        url: URL of the storage.
        name: Name of the study.
        options: Keyword arguments of `open_storage`.

    Raises:
        SearchError: The study is missing, or was deleted while the block ran.
    """
    with storage_at(url, **options) as storage:
        study = open_study(storage, name, create=False)
        with deletion_reported(study):
            yield study


@contextmanager
def deletion_reported(study: optuna.Study) -> Iterator[None]:
    """Replace an error of the block by one clear error if the study was deleted.

    Reading or writing a deleted study raises many different errors: a missing record, a broken
    foreign key, or a failed assertion of Optuna.

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
    """Return True if a study is deleted; after a database error wait for it up to 1.5 seconds."""
    pauses = _PAUSES if isinstance(error, SQLAlchemyError | StorageInternalError) else ()
    # The database may abort a write of this process while the deletion is still in progress.
    for pause in pauses:
        if is_deleted(study):
            return True
        time.sleep(pause)
    return is_deleted(study)


def open_study(storage: BaseStorage, name: str, *, create: bool) -> optuna.Study:
    """Open the study named `name`, or create it if it is missing and `create` is True.

    Raises:
        SearchError: The study is missing, and `create` is False.
    """
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        if not create:
            others = [s.study_name for s in optuna.get_all_study_summaries(storage)]
            there = f"there are {', '.join(map(repr, others[:10]))}" if others else "it is empty"
            raise SearchError(f"study {name!r} is not in the storage: {there}") from None
        study = optuna.create_study(
            study_name=name, storage=storage, direction="minimize", load_if_exists=True
        )
    return study


def check_study(study: optuna.Study, space: Space[Any]) -> None:
    """Raise if a search cannot use the study.

    Raises:
        SearchError: The study does not minimise exactly one value, or has trials of another search
            space.
    """
    name = study.study_name
    if study.directions != [StudyDirection.MINIMIZE]:
        directions = ", ".join(direction.name.lower() for direction in study.directions)
        raise SearchError(
            f"study {name!r} has the directions {directions}, but a search minimises one loss: "
            f"take another --study, or make one with `optuna create-study --direction minimize`"
        )
    distributions = space.distributions
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE]):
        for parameter, distribution in trial.distributions.items():
            if distributions.get(parameter) != distribution:
                raise SearchError(
                    f"study {name!r} holds trials of another search space (parameter "
                    f"{parameter!r} of trial {trial.number}): take another --study"
                )
