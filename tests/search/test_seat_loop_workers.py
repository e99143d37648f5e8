"""Workers that score the pairs of one study together: threads, processes, and those that die."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import optuna
import pytest
import sqlalchemy
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats import worker
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.storages.interruption import was_interrupted
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import KINDS, address
from tests.helpers.forked import context
from tests.helpers.samplers.searches import OBJECTIVE, SPACE, new_sampler, search, state
from tests.search.test_seat_loop import (
    GENERATIONS,
    SEATS,
    assert_scored_once,
    at_call,
    failures,
    run,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    from optuna.storages import BaseStorage

    from relativenas_optuna.storages.search_storage import SearchStorage

BEAT = 1  # second
COMPLETE, FAIL = TrialState.COMPLETE, TrialState.FAIL
_BEATS = sqlalchemy.text("SELECT trial_id, heartbeat FROM trial_heartbeats")


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    """Check that no heartbeat thread is left."""
    before = set(threading.enumerate())
    yield
    assert not [t for t in threading.enumerate() if t not in before and not t.daemon]


def tired(trial: optuna.Trial) -> float:
    """Score a trial after a short wait, so that each worker gets some trials."""
    time.sleep(0.005)
    return OBJECTIVE(trial)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "journal"])
def test_threads_that_share_a_study_score_every_seat_once(kind: str, tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'study.db'}") as sql:
        journal = JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
        places: dict[str, BaseStorage | None] = {"memory": None, "sqlite": sql, "journal": journal}
        study = optuna.create_study(storage=places[kind])
        study.sampler = sampler = new_sampler(SPACE)

        def work() -> None:
            score_seats(study, sampler, tired, generations=GENERATIONS)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert_scored_once(study)
        assert state(study) == state(search(space=SPACE, trials=SEATS))


def work(url: str, name: str, dies_at: int, barrier: Barrier, machine: str | None = None) -> None:
    """Score pairs in a process of its own, or die in the middle of a trial.

    Those that live begin when all others are about to die.
    """
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    if machine is not None:
        worker._machine = lambda: machine  # type: ignore[assignment]

    def dies(_: optuna.Trial) -> float:
        barrier.wait()
        os.kill(os.getpid(), signal.SIGKILL)
        return math.nan

    with storage_at(url, heartbeat_interval=BEAT) as storage:
        study = optuna.load_study(study_name=name, storage=storage)
        if not dies_at:
            barrier.wait()
        run(study, at_call(dies_at, dies, tired))


def started(*arguments: Any) -> Any:
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("kind", KINDS)
def test_processes_of_which_some_die_score_every_seat_once(kind: str, tmp_path: Path) -> None:
    url, name = address(kind, tmp_path), uuid.uuid4().hex
    with storage_at(url) as storage:
        study = optuna.create_study(study_name=name, storage=storage)
        try:
            barrier = context.Barrier(4)
            worker_group = [started(url, name, dies_at, barrier) for dies_at in (0, 1, 2, 0)]
            for process in worker_group:
                process.join()
            assert [process.exitcode for process in worker_group] == [0, -9, -9, 0]
            assert_scored_once(study)
            assert all(was_interrupted(t) for t in study.get_trials(states=[FAIL]))
            assert state(study) == state(search(space=SPACE, trials=SEATS))
        finally:
            optuna.delete_study(study_name=name, storage=storage)


# --- signs of life


def beats(storage: SearchStorage, study: optuna.Study) -> dict[Seat | None, Any]:
    """Return the last heartbeat of each running trial by its seat, by the database's clock."""
    running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    with storage.engine.connect() as connection:
        rows = connection.execute(_BEATS)
        last = {row.trial_id: row.heartbeat for row in rows}
    return {seat_of(t): last[t._trial_id] for t in running if t._trial_id in last}


def test_both_hearts_of_a_pair_beat_while_one_is_scored(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'study.db'}", heartbeat_interval=BEAT) as storage:
        study = optuna.create_study(storage=storage)
        seen: list[set[Seat | None]] = []

        def slow(trial: optuna.Trial) -> float:
            end, first = time.monotonic() + 30, beats(storage, study)
            while (now := beats(storage, study)).keys() < {Seat(0, 0), Seat(0, 1)} or any(
                now[seat] == first.get(seat) for seat in now
            ):
                assert time.monotonic() < end
                time.sleep(0.05)
            seen.append(set(now))
            return OBJECTIVE(trial)

        run(study, at_call(1, slow))
        assert seen == [{Seat(0, 0), Seat(0, 1)}]
        assert not beats(storage, study)
        assert_scored_once(study)


@pytest.mark.slow
def test_the_pair_of_a_worker_elsewhere_is_free_when_its_hearts_have_stopped(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with storage_at(url, heartbeat_interval=BEAT) as storage:
        study = optuna.create_study(study_name="s", storage=storage)
        barrier = context.Barrier(1)
        process = started(url, "s", 2, barrier, "another machine")
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert states(study) == [COMPLETE, TrialState.RUNNING]
        run(study)
        assert_scored_once(study)
        assert failures(study) == {Seat(0, 1): True}
