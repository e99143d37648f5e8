"""Whole generations asked for by several processes, some of which die meanwhile."""

from __future__ import annotations

import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.databases import KINDS, address
from tests.helpers.samplers.batch_processes import SIZE, Process, opened
from tests.helpers.samplers.searches import (
    SPACE,
    bits,
    loss,
    new_sampler,
    population,
    search,
    suggest,
    trials_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITING, RUNNING, FAIL = TrialState.WAITING, TrialState.RUNNING, TrialState.FAIL
ALL = [Seat(0, number) for number in range(SIZE)]


@pytest.fixture(params=[*KINDS, "journal"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a storage that processes share."""
    if request.param == "journal":
        return str(tmp_path / "journal.log")
    return address(request.param, tmp_path)


@contextmanager
def empty_study(place: str) -> Iterator[optuna.Study]:
    name = f"relativenas-batches-{uuid.uuid4().hex}"
    with opened(place) as storage:
        sampler = new_sampler(SPACE, SIZE, "plain")
        study = optuna.create_study(storage=storage, study_name=name, sampler=sampler)
        try:
            yield study
        finally:
            optuna.delete_study(storage=storage, study_name=name)


@contextmanager
def processes(
    place: str, study: optuna.Study, *calls: str, stops: bool = False
) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        started = [Process(place, study.study_name, call, stops=stops) for call in calls]
        for process in started:
            stack.callback(process.kill)
            assert process.hear() == "ready"
        yield started


def seats(study: optuna.Study, *states: TrialState) -> list[Seat]:
    found = map(seat_of, study.get_trials(deepcopy=False, states=states))
    return sorted(seat for seat in found if seat is not None)


def ask_generation(study: optuna.Study) -> list[Seat]:
    """Return the seats of the trials that a new sampler creates in this process."""
    found = map(seat_of, new_sampler(SPACE, SIZE, "plain").ask_generation(study))
    return [seat for seat in found if seat is not None]


def finish(study: optuna.Study) -> None:
    """Score all trials and some more generations, which must equal those of one worker."""
    waiting = len(study.get_trials(states=(WAITING,)))
    study.optimize(lambda trial: loss(suggest(trial, SPACE), SPACE), n_trials=waiting)
    for trial in study.get_trials(states=(RUNNING,)):
        study.tell(trial.number, loss(trial.params, SPACE))
    sampler = study.sampler = new_sampler(SPACE, SIZE, "plain")
    while population(study, SIZE).scored_seats(3) != 3 * SIZE:
        for asked in sampler.ask_generation(study):
            study.tell(asked, loss(asked.params, SPACE))
    assert not study.get_trials(states=(WAITING, RUNNING))
    undisturbed = search(
        space=SPACE, trials=trials_of(SIZE, 3), population_size=SIZE, preset="plain"
    )
    assert bits(population(study, SIZE))[:3] == bits(population(undisturbed, SIZE))[:3]


@pytest.mark.slow_except("postgresql-enqueue")
@pytest.mark.parametrize("call", ["detached", "enqueue"])
def test_processes_that_ask_at_the_same_moment_share_the_seats(call: str, place: str) -> None:
    with empty_study(place) as study, processes(place, study, call, call, call) as started:
        for process in started:
            process.go()
        made = [number for process in started for number in process.hear()]
        state = WAITING if call == "enqueue" else RUNNING
        assert sorted(made) == [trial.number for trial in study.get_trials(states=(state,))]
        assert seats(study, state) == ALL
        finish(study)


@pytest.mark.slow_except("postgresql")
def test_seats_of_a_dead_process_are_given_out_again(place: str) -> None:
    with empty_study(place) as study:
        with processes(place, study, "ask") as (process,):
            process.go()
            assert len(process.hear()) == SIZE
            assert ask_generation(study) == []
        assert sorted(ask_generation(study)) == ALL
        ended = study.get_trials(states=(FAIL,))
        assert len(ended) == SIZE
        assert all(INTERRUPTED_KEY in trial.system_attrs for trial in ended)
        finish(study)


@pytest.mark.slow_except("mysql")
def test_detached_trials_outlive_their_process(place: str) -> None:
    with empty_study(place) as study:
        with processes(place, study, "detached") as (process,):
            process.go()
            process.hear()
        assert ask_generation(study) == []
        assert seats(study, RUNNING) == ALL
        finish(study)


@pytest.mark.slow_except("sqlite")
@pytest.mark.parametrize("call", ["ask", "detached", "enqueue"])
def test_a_process_killed_in_a_batch_leaves_the_other_seats_free(call: str, place: str) -> None:
    with empty_study(place) as study:
        with processes(place, study, call, stops=True) as (process,):
            process.go()
            assert process.hear() == "here"
        left = study.get_trials(states=(WAITING, RUNNING))
        # Elsewhere than in a journal trials are made in one transaction: all of them or none.
        assert len(left) == (0 if "://" in place else 1)
        kept = [] if call == "ask" else seats(study, WAITING, RUNNING)
        assert sorted([*ask_generation(study), *kept]) == ALL
        finish(study)
