"""A worker that scores pairs is ended by a signal: no trial of it is left running or blamed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage
from optuna.storages._heartbeat import BaseHeartbeatThread, HeartbeatThread
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.search import seat_loop as pairs
from relativenas_optuna.storages.interruption import was_interrupted
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.samplers.searches import SPACE, search, state, study_and_sampler
from tests.search.test_seat_loop import SEATS, assert_scored_once, at_call, failing, failures, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMPLETE, FAIL = TrialState.COMPLETE, TrialState.FAIL


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit], ids=lambda error: error.__name__)
@pytest.mark.parametrize("call", [1, 2])
def test_an_end_of_the_process_is_no_fault_of_the_objective(
    call: int, error: type[BaseException]
) -> None:
    study = study_and_sampler()[0]
    for _ in range(3):  # after as many faults a seat would be given up
        with pytest.raises(error):
            run(study, at_call(call, failing(error())))
    assert all(was_interrupted(t) for t in study.get_trials(states=[FAIL]))
    run(study)
    assert_scored_once(study)
    assert state(study) == state(search(space=SPACE, trials=SEATS))


def test_ctrl_c_between_the_trials_of_a_pair_leaves_none_running() -> None:
    study = study_and_sampler()[0]
    with pytest.raises(KeyboardInterrupt):
        run(study, on_trial=failing(KeyboardInterrupt()))
    assert failures(study) == {Seat(0, 1): True}
    assert not study.get_trials(states=[TrialState.RUNNING])
    run(study)
    assert_scored_once(study)


class CutOff(InMemoryStorage):
    """A storage that is interrupted while the end of a trial is written, once."""

    left = 1

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if state == COMPLETE and self.left:
            self.left -= 1
            raise KeyboardInterrupt
        return super().set_trial_state_values(trial_id, state, values)


def test_ctrl_c_while_the_study_is_told_leaves_none_running() -> None:
    study = optuna.create_study(storage=CutOff())
    with pytest.raises(KeyboardInterrupt):
        run(study)
    assert failures(study) == {Seat(0, 0): True, Seat(0, 1): True}
    run(study)
    assert_scored_once(study)


class Broken(CutOff):
    """One that takes nothing more after that."""

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        if not self.left:
            raise StorageInternalError
        super().set_trial_system_attr(trial_id, key, value)


def test_ctrl_c_is_heard_of_though_the_storage_fails_too() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(optuna.create_study(storage=Broken()))


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_ctrl_c_while_a_heart_starts_leaves_none_beating(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread would keep the process from its end, and the trial alive, for ever."""
    start = HeartbeatThread.start

    def interrupted(heart: HeartbeatThread) -> None:
        if moment == "within":
            heart._stop_event = threading.Event()
            heart._thread = threading.Thread(target=heart._stop_event.wait)
        elif moment == "after":
            start(heart)
        raise KeyboardInterrupt

    monkeypatch.setattr(HeartbeatThread, "start", interrupted)
    before = threading.enumerate()
    with storage_at(f"sqlite:///{tmp_path / 'a.db'}", heartbeat_interval=60) as storage:
        study = optuna.create_study(storage=storage)
        with pytest.raises(KeyboardInterrupt):
            run(study)
        left = [one for one in threading.enumerate() if one not in before and not one.daemon]
        assert not left
        assert not study.get_trials(states=[TrialState.RUNNING])


def test_ctrl_c_before_hearts_are_stopped_leaves_none_beating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, calls = pairs._stop, []

    def interrupted(hearts: Sequence[BaseHeartbeatThread]) -> None:
        calls.append(hearts)
        if len(calls) == 1:
            raise KeyboardInterrupt
        stop(hearts)

    monkeypatch.setattr(pairs, "_stop", interrupted)
    before = threading.enumerate()
    with storage_at(f"sqlite:///{tmp_path / 'a.db'}", heartbeat_interval=60) as storage:
        with pytest.raises(KeyboardInterrupt):
            run(optuna.create_study(storage=storage))
        left = [one for one in threading.enumerate() if one not in before and not one.daemon]
        assert not left
