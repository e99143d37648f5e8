"""Ctrl-C in a user's own `study.optimize` is no failure of the architecture."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from relativenas_optuna import open_storage
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.interruption import was_interrupted
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    ask,
    new_sampler,
    scored,
    search,
    state,
)
from tests.samplers.conftest import database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna.storages import BaseStorage

FAIL = TrialState.FAIL


@pytest.fixture(params=["memory", "sqlite", "search storage", "journal"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    if request.param == "memory":
        yield InMemoryStorage()
    elif request.param == "sqlite":
        with database(url) as opened:
            yield opened
    elif request.param == "journal":
        yield JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    else:
        found = open_storage(url)
        yield found
        found.remove_session()
        found.engine.dispose()


def interrupted(_: optuna.Trial) -> float:
    raise KeyboardInterrupt


def badly_interrupted(_: optuna.Trial) -> float:
    try:
        raise KeyboardInterrupt
    finally:
        raise RuntimeError("the pool was closed")


def failing(_: optuna.Trial) -> float:
    raise RuntimeError("out of memory")


def marks(study: optuna.Study) -> list[bool]:
    return [was_interrupted(trial) for trial in study.get_trials(states=[FAIL])]


@pytest.mark.slow_except("sqlite")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_three_interruptions_do_not_score_a_seat(storage: BaseStorage, n_jobs: int) -> None:
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    for _ in range(3):
        with suppress(KeyboardInterrupt):  # Optuna drops it in a thread
            study.optimize(interrupted, n_trials=1, n_jobs=n_jobs)
    assert marks(study) == [True] * 3
    study.optimize(OBJECTIVE, n_trials=8)
    undisturbed = search(space=SPACE, trials=8)
    assert (state(study), scored(study)) == (state(undisturbed), scored(undisturbed))


def test_an_error_during_ctrl_c_is_no_failure_of_the_objective() -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE))
    study.optimize(badly_interrupted, n_trials=3, catch=(Exception,))
    assert marks(study) == [True] * 3


def test_errors_of_the_objective_count_after_ctrl_c() -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE))
    try:
        study.optimize(interrupted, n_trials=1)
    except KeyboardInterrupt:
        study.optimize(failing, n_trials=3, catch=(Exception,))
    assert marks(study) == [True, False, False, False]
    study.optimize(OBJECTIVE, n_trials=1)
    assert seat_of(study.trials[-1]) == Seat(0, 1)


def test_a_trial_reported_as_failed_during_ctrl_c_was_interrupted() -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE))
    trial, _ = ask(study)
    with suppress(KeyboardInterrupt):
        try:
            interrupted(trial)
        finally:
            study.tell(trial, state=FAIL)
    study.tell(ask(study)[0], state=FAIL)
    assert marks(study) == [True, False]


def test_ctrl_c_under_another_sampler_frees_the_seat(tmp_path: Path) -> None:
    storage: Any = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    try:
        sampler = new_sampler(SPACE)
        study = optuna.create_study(storage=storage, sampler=RandomSampler(seed=0))
        sampler.enqueue_generation(study)
        with pytest.raises(KeyboardInterrupt):
            study.optimize(interrupted, n_trials=1)
        study.optimize(failing, n_trials=1, catch=(Exception,))
        assert marks(study) == [True, False]
    finally:
        storage.remove_session()
        storage.engine.dispose()
