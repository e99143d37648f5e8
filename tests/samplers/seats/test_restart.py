"""The study is the state: a search that restarts any number of times stays the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    SearchKind,
    Space,
    both_spaces,
    every_kind,
    loss,
    new_sampler,
    scored,
    search,
    seated,
    state,
    suggest,
)
from tests.samplers.conftest import database

if TYPE_CHECKING:
    from collections.abc import Callable


def by_fresh_samplers(study: optuna.Study, kind: SearchKind, trials: int) -> None:
    for _ in range(trials):
        study.sampler = kind.sampler()
        study.optimize(OBJECTIVE, n_trials=1)


def by_what_the_study_says(study: optuna.Study, kind: SearchKind, trials: int) -> None:
    study.sampler = kind.sampler()
    study.optimize(OBJECTIVE, n_trials=1)
    for _ in range(trials - 1):
        study.sampler = MIGOSampler() if kind.preset == "migo" else RelativeNASSampler()
        study.optimize(OBJECTIVE, n_trials=1)


def by_ask_and_tell(study: optuna.Study, kind: SearchKind, trials: int) -> None:
    for _ in range(trials):
        study.sampler = kind.sampler()
        trial = study.ask(SPACE)
        study.sampler = optuna.samplers.RandomSampler()  # as `optuna tell` loads another one
        study.tell(trial, loss(trial.params, SPACE))


def by_trials_that_are_opened_twice(study: optuna.Study, kind: SearchKind, trials: int) -> None:
    for _ in range(trials):
        study.sampler = kind.sampler()
        number = study.ask().number
        study.sampler = kind.sampler()
        trial = optuna.Trial(study, study.trials[number]._trial_id)
        study.tell(number, loss(suggest(trial, SPACE), SPACE))


@every_kind
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
def test_a_new_sampler_at_every_trial_changes_nothing(
    way: Callable[[optuna.Study, SearchKind, int], None], kind: SearchKind
) -> None:
    study = optuna.create_study()
    way(study, kind, 17)
    undisturbed = kind.search(17)
    assert seated(study) == seated(undisturbed)
    assert state(study) == state(undisturbed)


@both_spaces
def test_loading_the_study_at_every_trial_changes_nothing(
    space: Space | None, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for _ in range(9):
        with database(url) as storage:
            study = optuna.create_study(
                storage=storage, study_name="s", load_if_exists=True, sampler=new_sampler(space)
            )
            study.optimize(OBJECTIVE, n_trials=1)
    with database(url) as storage:
        study = optuna.load_study(storage=storage, study_name="s", sampler=new_sampler(space))
        undisturbed = search(space=space, trials=9)
        assert seated(study) == seated(undisturbed)
        assert state(study) == state(undisturbed)


@pytest.mark.slow_except("migo")
@every_kind
@given(
    failures=st.sets(st.integers(0, 30), max_size=12).filter(
        lambda numbers: not any({n, n + 1, n + 2} <= numbers for n in numbers)
    )
)
@settings(max_examples=12)
def test_failures_change_neither_populations_nor_proposals(
    kind: SearchKind, failures: set[int]
) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        if trial.number in failures:
            raise RuntimeError
        return value

    study = optuna.create_study()
    for _ in range(17 + len([n for n in failures if n < 17])):
        study.sampler = kind.sampler()
        study.optimize(objective, n_trials=1, catch=(RuntimeError,))
    done = len(scored(study))
    undisturbed = kind.search(done)
    assert scored(study) == scored(undisturbed)
    assert state(study) == state(undisturbed)
    for trial, after in zip(study.trials, study.trials[1:], strict=False):
        if trial.state == TrialState.FAIL:  # retried at once
            assert (seat_of(after), after.params) == (seat_of(trial), trial.params)


@every_kind
def test_a_restart_keeps_enqueued_trials(kind: SearchKind) -> None:
    wanted: dict[int, dict[str, Any]] = {
        2: {"x": 0.875, "op": None},
        9: {"width": 9, "rate": 0.01},
        13: {"x": -1.0},
    }
    studies = [kind.search(0), optuna.create_study()]
    for study in studies:
        for number in range(17):
            if study is studies[1]:
                study.sampler = kind.sampler()
            if number in wanted:
                study.enqueue_trial(wanted[number])
            study.optimize(OBJECTIVE, n_trials=1)
    for number, params in wanted.items():
        assert studies[0].trials[number].params.items() >= params.items()
    assert seated(studies[0]) == seated(studies[1])
    assert state(studies[0]) == state(studies[1])
    assert state(studies[0]) != state(kind.search(17))


@every_kind
def test_a_copied_study_continues_like_the_original(kind: SearchKind) -> None:
    study = kind.search(10, study_name="a")
    storage = InMemoryStorage()
    optuna.copy_study(
        from_study_name="a", from_storage=study._storage, to_storage=storage, to_study_name="b"
    )
    copied = optuna.load_study(storage=storage, study_name="b", sampler=kind.sampler())
    copied.optimize(OBJECTIVE, n_trials=7)
    assert seated(copied) == seated(kind.search(17))


def test_a_study_with_the_id_of_a_deleted_one_is_a_new_search(tmp_path: Path) -> None:
    sampler = new_sampler(SPACE)
    with database(f"sqlite:///{tmp_path / 'study.db'}") as opened:
        storage = optuna.storages.get_storage(opened)  # one cache for all three
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
