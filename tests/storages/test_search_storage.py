"""Signs of life of a storage for a search: with real processes, killed."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.exceptions import StorageError
from relativenas_optuna.samplers.seats import worker
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY, mark_interrupted
from relativenas_optuna.storages.opening import open_storage, storage_at
from tests.helpers.command import ENVIRONMENT
from tests.helpers.databases import KINDS, address
from tests.helpers.forked import ForkedProcess

if TYPE_CHECKING:
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage


def loss(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -1, 1) ** 2


def work_elsewhere(url: str, name: str, trials: int) -> None:
    """Run so many trials at once, without end, as a worker of another machine does.

    Others can tell the machine only from the worker's claims.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    worker._machine = lambda: "another machine"  # type: ignore[assignment]
    study = optuna.load_study(
        storage=open_storage(url, heartbeat_interval=1),
        study_name=name,
        # Of this preset alone more trials than members take seats.
        sampler=RelativeNASSampler(population_size=2, seed=0, preset="paper"),
    )
    running = threading.Semaphore(0)

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("x", -1, 1)
        running.release()
        time.sleep(600)
        return 0.0

    def report() -> None:
        for _ in range(trials):
            running.acquire()
        time.sleep(0.5)  # the first signs of life are on their way
        print("running", flush=True)  # noqa: T201

    threading.Thread(target=report, daemon=True).start()
    study.optimize(objective, n_trials=trials, n_jobs=trials)


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("kind", KINDS)
def test_deaths_on_another_machine_free_their_seats_and_never_score_them(
    kind: str, tmp_path: Path
) -> None:
    url, name = address(kind, tmp_path), f"deaths {uuid.uuid4()}"
    with storage_at(url, heartbeat_interval=1) as storage:
        sampler = RelativeNASSampler(population_size=2, seed=0, preset="paper")
        study = optuna.create_study(storage=storage, study_name=name, sampler=sampler)
        with ForkedProcess(
            work_elsewhere, url, name, 6, cwd=tmp_path, environment=ENVIRONMENT
        ) as process:
            assert process.stdout.readline() == "running\n"
            process.kill()
        seats = [seat_of(trial) for trial in study.trials]
        assert sorted(seat for seat in seats if seat) == [Seat(0, 0)] * 3 + [Seat(0, 1)] * 3
        time.sleep(3.1)  # two intervals, and the databases count whole seconds
        study.optimize(loss, n_trials=2)
        dead, alive = study.trials[:6], study.trials[6:]
        assert [trial.state for trial in dead] == [TrialState.FAIL] * 6
        assert all(trial.system_attrs.get(INTERRUPTED_KEY) for trial in dead)
        assert [seat_of(trial) for trial in alive] == [Seat(0, 0), Seat(0, 1)]
        optuna.delete_study(study_name=name, storage=storage)


def stale_trial(study: optuna.Study, storage: SearchStorage) -> int:
    """Return the id of a running trial whose last heartbeat is years old."""
    trial = study.ask()
    storage.record_heartbeat(trial._trial_id)
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'")
    return trial._trial_id


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_stale_trial_of_another_sampler_carries_the_mark_alone(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:
        study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())
        stale_trial(study, storage)
        study.optimize(loss, n_trials=1)
        assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
        assert study.trials[0].system_attrs == {INTERRUPTED_KEY: "trial 0"}


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_stale_trial_that_another_process_just_failed_is_left_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with storage_at(url) as storage, storage_at(url) as other:
        sampler = RelativeNASSampler(population_size=2, seed=0)
        study = optuna.create_study(storage=storage, sampler=sampler)
        trial_id = stale_trial(study, storage)
        original = storage.get_trial_number_from_id

        def failed_meanwhile(trial_id: int) -> int:
            other.set_trial_state_values(trial_id, TrialState.FAIL)
            return original(trial_id)

        storage.get_trial_number_from_id = failed_meanwhile  # type: ignore[method-assign]
        assert storage._get_stale_trial_ids(study._study_id) == [trial_id]
        with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
            mark_interrupted(storage, trial_id)


@pytest.mark.slow
def test_a_process_that_lives_keeps_its_trials(tmp_path: Path) -> None:
    """Longer than the grace of two seconds, while another process looks at it."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with (
        storage_at(url, heartbeat_interval=1) as storage,
        storage_at(url, heartbeat_interval=1) as other,
    ):
        study = optuna.create_study(storage=storage)
        watcher = optuna.load_study(study_name=study.study_name, storage=other)

        def objective(trial: optuna.Trial) -> float:
            end = time.monotonic() + 3.5
            while time.monotonic() < end:
                watcher.optimize(loss, n_trials=1)
                time.sleep(0.2)
            return loss(trial)

        study.optimize(objective, n_trials=1)
        assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}


def test_the_heartbeat_is_on_and_warns_of_nothing_under_optimize(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:
            assert storage.get_heartbeat_interval() == 60
            assert storage.grace_period is None
            assert storage.get_heartbeat_stale_trial_callback() is None
            optuna.create_study(storage=storage).optimize(loss, n_trials=2, n_jobs=2)


def test_without_a_heartbeat_trials_can_be_asked_for(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}", heartbeat_interval=None) as storage:
        study = optuna.create_study(storage=storage)
        study.tell(study.ask(), 1.0)
        assert study.best_value == 1


# SQLAlchemy says that the pool of a URI will be another one.
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_in_memory_has_no_heartbeat(url: str) -> None:
    with storage_at(url) as storage:
        assert storage.get_heartbeat_interval() is None
        optuna.create_study(storage=storage).optimize(loss, n_trials=2)


@pytest.mark.parametrize("heartbeat", [0, -1, 1.5, True, "60", float("nan")])
def test_a_heartbeat_out_of_range_is_refused(heartbeat: object, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="heartbeat_interval must be a whole number of seconds"):
        open_storage(f"sqlite:///{tmp_path / 'x.db'}", heartbeat_interval=heartbeat)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
