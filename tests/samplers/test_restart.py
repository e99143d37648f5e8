"""The study is the state: however often a search begins anew, it is the same search."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.claims import ARRIVAL_KEY, INTERRUPTED_KEY, Claim, Seat, seat_of
from tests.samplers.conftest import database
from tests.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    loss,
    scored,
    search,
    seated,
    state,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

both_spaces = pytest.mark.parametrize("space", [SPACE, None], ids=["known", "learned"])


def anew(space: Space | None) -> RelativeNASSampler:
    return RelativeNASSampler(space, population_size=4, seed=3)


def by_fresh_samplers(study: optuna.Study, space: Space | None, trials: int) -> None:
    for _ in range(trials):
        study.sampler = anew(space)
        study.optimize(OBJECTIVE, n_trials=1)


def by_what_the_study_says(study: optuna.Study, space: Space | None, trials: int) -> None:
    study.sampler = anew(space)
    study.optimize(OBJECTIVE, n_trials=1)
    for _ in range(trials - 1):
        study.sampler = RelativeNASSampler(population_size=4)
        study.optimize(OBJECTIVE, n_trials=1)


def by_ask_and_tell(study: optuna.Study, space: Space | None, trials: int) -> None:
    for _ in range(trials):
        study.sampler = anew(space)
        trial = study.ask(SPACE)
        study.sampler = optuna.samplers.RandomSampler()  # as `optuna tell` loads another one
        study.tell(trial, loss(trial.params, SPACE))


def by_trials_that_are_opened_twice(study: optuna.Study, space: Space | None, trials: int) -> None:
    for _ in range(trials):
        study.sampler = anew(space)
        number = study.ask().number
        study.sampler = anew(space)
        trial = optuna.Trial(study, study.trials[number]._trial_id)
        study.tell(number, loss(suggest(trial, SPACE), SPACE))


@both_spaces
@pytest.mark.parametrize(
    "way",
    [
        by_fresh_samplers,
        by_what_the_study_says,
        by_ask_and_tell,
        by_trials_that_are_opened_twice,
    ],
    ids=lambda way: way.__name__,
)
def test_a_search_that_begins_anew_at_every_trial_is_the_uninterrupted_one(
    way: Callable[[optuna.Study, Space | None, int], None], space: Space | None
) -> None:
    study = optuna.create_study()
    way(study, space, 17)
    undisturbed = search(space=space, trials=17)
    assert seated(study) == seated(undisturbed)
    assert state(study) == state(undisturbed)


@both_spaces
def test_a_search_that_is_loaded_from_its_file_at_every_trial_is_the_uninterrupted_one(
    space: Space | None, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for _ in range(9):
        with database(url) as storage:
            study = optuna.create_study(
                storage=storage, study_name="s", load_if_exists=True, sampler=anew(space)
            )
            study.optimize(OBJECTIVE, n_trials=1)
    with database(url) as storage:
        study = optuna.load_study(storage=storage, study_name="s", sampler=anew(space))
        undisturbed = search(space=space, trials=9)
        assert seated(study) == seated(undisturbed)
        assert state(study) == state(undisturbed)


@both_spaces
@given(
    failures=st.sets(st.integers(0, 30), max_size=12).filter(
        lambda numbers: not any({n, n + 1, n + 2} <= numbers for n in numbers)
    )
)
def test_failures_change_neither_populations_nor_what_a_seat_scores(
    space: Space | None, failures: set[int]
) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        if trial.number in failures:
            raise RuntimeError
        return value

    study = optuna.create_study()
    for _ in range(17 + len([n for n in failures if n < 17])):
        study.sampler = anew(space)
        study.optimize(objective, n_trials=1, catch=(RuntimeError,))
    done = len(scored(study))
    undisturbed = search(space=space, trials=done)
    assert scored(study) == scored(undisturbed)
    assert state(study) == state(undisturbed)
    for trial, after in zip(study.trials, study.trials[1:], strict=False):
        if trial.state == TrialState.FAIL:  # retried at once
            assert (seat_of(after), after.params) == (seat_of(trial), trial.params)


@both_spaces
def test_enqueued_trials_are_part_of_what_a_restart_goes_on_with(space: Space | None) -> None:
    wanted: dict[int, dict[str, Any]] = {
        2: {"x": 0.875, "op": None},
        9: {"width": 9, "rate": 0.01},
        13: {"x": -1.0},
    }
    studies = [search(space=space, trials=0), optuna.create_study()]
    for study in studies:
        for number in range(17):
            if study is studies[1]:
                study.sampler = anew(space)
            if number in wanted:
                study.enqueue_trial(wanted[number])
            study.optimize(OBJECTIVE, n_trials=1)
    for number, params in wanted.items():
        assert studies[0].trials[number].params.items() >= params.items()
    assert seated(studies[0]) == seated(studies[1])
    assert state(studies[0]) == state(studies[1])
    assert state(studies[0]) != state(search(space=space, trials=17))


@both_spaces
def test_a_copied_study_goes_on_like_its_original(space: Space | None) -> None:
    study = search(space=space, trials=10, study_name="a")
    storage = InMemoryStorage()
    optuna.copy_study(
        from_study_name="a", from_storage=study._storage, to_storage=storage, to_study_name="b"
    )
    copied = optuna.load_study(storage=storage, study_name="b", sampler=anew(space))
    copied.optimize(OBJECTIVE, n_trials=7)
    assert seated(copied) == seated(search(space=space, trials=17))


def test_a_study_that_takes_the_place_of_a_deleted_one_is_another_search(tmp_path: Path) -> None:
    sampler = RelativeNASSampler(SPACE, population_size=4, seed=3)
    with database(f"sqlite:///{tmp_path / 'study.db'}") as storage:
        minimize, maximize = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
        for direction, trials in ((minimize, 1), (maximize, 5), (minimize, 6)):
            study = optuna.create_study(
                storage=storage, study_name="s", sampler=sampler, direction=direction
            )
            assert study._study_id == 1  # SQLite gives the id again
            study.optimize(OBJECTIVE, n_trials=trials)
            undisturbed = search(space=SPACE, trials=trials, direction=direction)
            assert seated(study) == seated(undisturbed)
            assert state(study) == state(undisturbed)
            optuna.delete_study(storage=storage, study_name="s")


# --- processes that end


def kill_at(url: str, kind: str, number: int, where: str) -> None:
    """Run a search in a process of its own and kill it at a point."""
    arguments = [url, "s", kind, str(number), where]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.samplers.killed", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.kill()


@pytest.mark.parametrize(
    ("space", "where", "number"),
    [
        (SPACE, "objective", 5),
        (SPACE, "claim", 0),
        (SPACE, "arrival", 5),
        (None, "objective", 0),
        (None, "arrival", 0),
    ],
    ids=lambda value: "known" if isinstance(value, dict) else str(value),
)
def test_a_killed_process_leaves_no_trial_running_and_its_seat_free_at_once(
    space: Space | None, where: str, number: int, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as storage:
        optuna.create_study(storage=storage, study_name="s")
        kill_at(url, "learned" if space is None else "known", number, where)
        study = optuna.load_study(storage=storage, study_name="s", sampler=anew(space))
        assert study.trials[number].state == TrialState.RUNNING
        study.optimize(OBJECTIVE, n_trials=1)
        dead, following = study.trials[number:]
        assert dead.state == TrialState.FAIL
        assert dead.system_attrs[INTERRUPTED_KEY]
        assert seat_of(following) == Seat(number // 4, number % 4)
        if where == "objective":
            assert following.params == dead.params
        study.optimize(OBJECTIVE, n_trials=8 - number)
        undisturbed = search(space=space, trials=9)
        assert scored(study) == scored(undisturbed)
        assert state(study) == state(undisturbed)


def test_any_number_of_deaths_at_a_seat_does_not_score_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", sampler=anew(SPACE))
        for number in range(4):
            kill_at(url, "known", number, "objective")
        study.optimize(OBJECTIVE, n_trials=5)
        assert [t.state for t in study.trials[:4]] == [TrialState.FAIL] * 4
        assert scored(study) == scored(search(space=SPACE, trials=5))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_waiting_trial_that_holds_a_seat_is_run_by_whoever_takes_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", sampler=anew(SPACE))
        kill_at(url, "known", 1, "objective")
        dead = study.trials[1]
        storage.set_trial_state_values(dead._trial_id, TrialState.FAIL)
        RetryHeartbeatStaleTrialCallback()(study, dead)  # copies the attributes, the seat included
        study.sampler = anew(SPACE)
        population_while_waiting = state(study)
        retried = study.ask()
        assert retried.number == 2
        assert seat_of(retried) == seat_of(dead) == Seat(0, 1)
        other = study.ask()  # does not take the retried trial for that of a dead worker
        assert seat_of(other) == Seat(0, 2)
        assert state(study) == population_while_waiting
        study.tell(other, loss(suggest(other, SPACE), SPACE))
        study.tell(retried, loss(suggest(retried, SPACE), SPACE))
        study.optimize(OBJECTIVE, n_trials=6)
        assert state(study) == state(search(space=SPACE, trials=9))


def test_an_interrupted_start_leaves_no_trial_running(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(sampler=anew(SPACE))
    study.optimize(OBJECTIVE, n_trials=3)
    for method in (Claim.write, Claim.read):
        with monkeypatch.context() as patched:
            patched.setattr(Claim, method.__name__, interrupted)
            with pytest.raises(KeyboardInterrupt):
                study.ask()
    assert [t.state for t in study.trials[3:]] == [TrialState.FAIL] * 2
    study.optimize(OBJECTIVE, n_trials=6)
    undisturbed = search(space=SPACE, trials=9)
    assert scored(study) == scored(undisturbed)
    assert state(study) == state(undisturbed)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_reading_that_was_broken_off_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = anew(SPACE)
    study = optuna.create_study(sampler=sampler)
    study.optimize(OBJECTIVE, n_trials=3)
    sampler.population(study)
    study.sampler = anew(SPACE)
    study.optimize(OBJECTIVE, n_trials=3)
    with monkeypatch.context() as patched:
        patched.setattr(Claim, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sampler.population(study)
    study.sampler = sampler
    study.optimize(OBJECTIVE, n_trials=3)
    assert seated(study) == seated(search(space=SPACE, trials=9))


def test_a_trial_says_who_runs_it(tmp_path: Path) -> None:
    study = optuna.create_study(sampler=anew(SPACE))
    trial = study.ask()
    attrs = study._storage.get_trial_system_attrs(trial._trial_id)
    claim = Claim.read(attrs)
    assert claim is not None
    assert claim.worker == attrs[ARRIVAL_KEY]
    assert set(claim.worker) == {"machine", "pid", "start"}
    assert claim.settings is not None
    second = Claim.read(study._storage.get_trial_system_attrs(study.ask()._trial_id))
    assert second is not None
    assert second.settings is None  # trial 0 carries them
