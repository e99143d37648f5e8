"""Parameters that are written together: nobody in the process can tell, and nothing is lost."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING

import optuna
import pytest
import sqlalchemy
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import get_storage
from optuna.trial import TrialState

from relativenas_optuna.storages import parameter_buffer
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import (
    KINDS,
    NAMES,
    address,
    experienced_study,
    suggest,
    wait_for,
    watched,
)
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return address(request.param, tmp_path)


@pytest.fixture
def storage(url: str) -> Iterator[SearchStorage]:
    with storage_at(url) as opened:
        yield opened


@pytest.fixture
def study(storage: SearchStorage) -> Iterator[optuna.Study]:
    with experienced_study(storage) as created:
        yield created


def statements(storage: SearchStorage, words: str) -> list[str]:
    """Return a list that collects the statements with some words from now on."""
    seen: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        if words in statement:
            seen.append(statement)

    sqlalchemy.event.listen(storage.engine, "before_cursor_execute", note)
    return seen


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written before something asks for it, however slow the machine is."""
    monkeypatch.setattr(parameter_buffer, "DELAY", 600.0)


@pytest.mark.slow_except("sqlite")
@pytest.mark.usefixtures("late")
def test_the_parameters_of_a_trial_go_together_in_the_order_of_the_objective(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    seen = statements(storage, "INSERT INTO trial_params")
    study.optimize(suggest, n_trials=2)
    assert len(seen) == 2
    assert watched(url, study, 1) == watched(url, study, 2) == NAMES


@pytest.mark.slow_except("mysql")
@pytest.mark.usefixtures("late")
def test_a_new_process_asks_once_for_what_the_study_knows(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    with storage_at(url) as other:
        seen = statements(other, "INSERT INTO trial_params")
        optuna.load_study(study_name=study.study_name, storage=other).optimize(suggest, n_trials=1)
    assert len(seen) == 1
    assert watched(url, study, 1) == NAMES


@pytest.mark.slow_except("sqlite")
def test_a_new_parameter_is_stored_at_once_behind_those_that_wait(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    trial = study.ask()
    trial.suggest_float("x0", 0, 1)
    trial.suggest_int("new", 0, 1)
    assert watched(url, study, 1) == ["x0", "new"]


@pytest.mark.slow_except("sqlite", "postgresql")
def test_others_see_the_parameters_while_the_objective_runs(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    suggest(study.ask())
    wait_for(url, study, 1, NAMES)
    more = study.ask()
    more.suggest_float("x1", 0, 1)
    wait_for(url, study, 2, ["x1"])
    more.suggest_float("x0", 0, 1)
    wait_for(url, study, 2, ["x1", "x0"])


@pytest.mark.slow_except("postgresql")
def test_everything_in_the_process_sees_them_at_once(
    storage: SearchStorage, study: optuna.Study
) -> None:
    reads: list[Callable[[optuna.Trial], object]] = [
        lambda trial: storage.get_trial(trial._trial_id).params["x0"],
        lambda trial: storage.get_trial_param(trial._trial_id, "x0"),
        lambda trial: storage.get_trial_params(trial._trial_id)["x0"],
        lambda trial: storage.get_all_trials(study._study_id)[-1].params["x0"],
        lambda trial: study.get_trials(deepcopy=False)[-1].params["x0"],
        lambda trial: pickle.loads(pickle.dumps(storage)).get_trial_param(trial._trial_id, "x0"),  # noqa: S301
    ]
    for read in reads:
        trial = study.ask()
        value = trial.suggest_float("x0", 0, 1)
        assert read(trial) == value


@pytest.mark.slow_except("sqlite")
def test_another_distribution_is_refused_at_once(study: optuna.Study) -> None:
    trial = study.ask()
    trial.suggest_float("x0", 0, 1)
    with pytest.raises(ValueError, match="different distribution kind"):
        trial.suggest_int("x1", 0, 1)
    study.tell(trial, 0.0)
    assert list(study.trials[1].params) == ["x0"]


@pytest.mark.slow_except("postgresql")
@pytest.mark.usefixtures("late")
def test_what_another_process_set_first_stays(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    with storage_at(url) as other:
        trial = study.ask()
        first, second, third = (trial.suggest_float(name, 0, 1) for name in ("x0", "x1", "x2"))
        other.set_trial_param(trial._trial_id, "x1", 0.125, FloatDistribution(0, 1))
    study.tell(trial, 0.0)
    assert study.trials[1].params == {"x1": 0.125, "x0": first, "x2": third}
    assert second != 0.125


@pytest.mark.slow_except("postgresql")
def test_a_trial_that_another_process_ended_takes_no_more_and_harms_no_other(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    ended, other_trial = study.ask(), study.ask()
    with storage_at(url) as other, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parameter_buffer, "DELAY", 600.0)
        suggest(ended)
        other.set_trial_state_values(ended._trial_id, TrialState.FAIL)
    suggest(other_trial)
    wait_for(url, study, 2, NAMES)
    writes: list[Callable[[], object]] = [
        lambda: ended.suggest_int("new", 0, 1),
        lambda: storage._set_trial_param(
            ended._trial_id, "x", 0.5, FloatDistribution(0, 1), FloatDistribution(0, 1)
        ),
        lambda: ended.set_user_attr("a", 1),
        lambda: ended.report(0.0, 0),
        lambda: storage.set_trial_state_values(ended._trial_id, TrialState.COMPLETE, [0.0]),
    ]
    for write in writes:
        with pytest.raises(UpdateFinishedTrialError):
            write()
    study.tell(other_trial, 0.0)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "FAIL", "COMPLETE"]
    assert [list(trial.params) for trial in study.trials[1:]] == [[], NAMES]


@pytest.mark.slow_except("postgresql")
def test_a_deleted_study_takes_its_waiting_parameters_along(
    url: str, storage: SearchStorage, study: optuna.Study
) -> None:
    gone = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())
    gone.optimize(suggest, n_trials=1)
    trial, kept = gone.ask(), study.ask()
    suggest(trial)
    with storage_at(url) as other:
        other.delete_study(gone._study_id)
    suggest(kept)
    wait_for(url, study, 1, NAMES)
    with pytest.raises(KeyError):
        trial.set_user_attr("a", 1)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("url", DATABASES, indirect=True)  # SQLite lets nobody write meanwhile
def test_a_study_is_deleted_even_where_a_trial_is_written_in_between(
    url: str, storage: SearchStorage
) -> None:
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())
    study.optimize(suggest, n_trials=1)
    suggest(study.ask())
    deletions = 0

    def write(_c: object, _u: object, statement: str, *_: object) -> None:
        nonlocal deletions
        if "DELETE FROM trials" in statement:
            deletions += 1
            storage._buffer.write_all()

    with storage_at(url) as other:
        sqlalchemy.event.listen(other.engine, "before_cursor_execute", write)
        other.delete_study(study._study_id)
        assert deletions == 2
        with pytest.raises(KeyError):
            other.get_all_trials(study._study_id)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # others use the servers' tables
def test_a_database_that_fails_is_heard_of_and_given_what_it_missed(
    storage: SearchStorage, study: optuna.Study
) -> None:
    trial = study.ask()
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE trial_params RENAME TO elsewhere")
    suggest(trial)
    time.sleep(0.3)  # the thread has tried
    with pytest.raises(StorageInternalError, match="12 parameters of a trial could not be stored"):
        trial.set_user_attr("a", 1)
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO trial_params")
    study.tell(trial, 0.0)
    assert list(study.trials[1].params) == NAMES


@pytest.mark.slow_except("sqlite")
def test_a_pickled_storage_goes_on_with_the_trials(
    storage: SearchStorage, study: optuna.Study
) -> None:
    trial = study.ask()
    first = trial.suggest_float("x0", 0, 1)
    copied = pickle.loads(pickle.dumps(study))  # noqa: S301
    second = optuna.Trial(copied, trial._trial_id).suggest_float("x1", 0, 1)
    copied.tell(trial.number, 0.0)
    assert study.trials[1].params == {"x0": first, "x1": second}


def test_a_storage_alone_stores_what_it_is_told(storage: SearchStorage) -> None:
    """Not behind Optuna's cache, as a study has it."""
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE])
    trial_ids = [storage.create_new_trial(study_id) for _ in range(2)]
    for trial_id in trial_ids:
        storage.set_trial_param(trial_id, "x", 0.5, FloatDistribution(0, 1))
        storage.set_trial_param(trial_id, "n", 3, IntDistribution(0, 5))
        assert storage.get_trial(trial_id).params == {"x": 0.5, "n": 3}
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
    assert get_storage(storage).get_best_trial(study_id).params == {"x": 0.5, "n": 3}
    storage.delete_study(study_id)
