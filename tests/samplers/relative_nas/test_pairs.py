"""Workers that score both seats of a pair."""

from __future__ import annotations

from random import Random

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    both_spaces,
    new_sampler,
    scored,
    search,
    study_and_sampler,
    tell,
)


def seats(trials: list[optuna.Trial]) -> list[Seat | None]:
    return [seat_of(trial) for trial in trials]


@both_spaces
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_on_whole_pairs_get_the_populations_of_one_worker(
    space: Space | None, workers: int
) -> None:
    study, sampler = study_and_sampler(space)
    random = Random(workers)
    worker_group = [sampler, *(new_sampler(space) for _ in range(workers - 1))]
    taken: list[Seat | None] = []
    at_work: list[list[optuna.Trial]] = [[] for _ in worker_group]
    undisturbed = scored(search(space=space, trials=24))
    while not undisturbed.keys() <= scored(study).keys():
        worker = random.randrange(workers)
        if at_work[worker]:
            trial = at_work[worker].pop(0)
            study.tell(trial, OBJECTIVE(trial))
            continue
        at_work[worker] = worker_group[worker].ask_seats(study)
        taken += seats(at_work[worker])
    found = scored(study)
    assert {seat: found[seat] for seat in undisturbed} == undisturbed
    if workers == 1:
        assert taken == sorted(undisturbed)


def test_a_half_finished_pair_comes_first_unless_its_worker_runs() -> None:
    study, sampler = study_and_sampler()
    other = new_sampler(SPACE)
    first, second = sampler.ask_seats(study)
    tell(study, first)
    study.tell(second, state=TrialState.FAIL)
    assert seats(other.ask_seats(study)) == [Seat(0, 1)]  # seat 0 is scored
    third, fourth = sampler.ask_seats(study)
    study.tell(fourth, state=TrialState.FAIL)
    assert seat_of(third) == Seat(0, 2)  # still running
    assert seats(other.ask_seats(study)) == [Seat(0, 3)]  # there is nothing else
    assert other.ask_seats(study) == []


def test_a_whole_pair_comes_before_a_seat_without_a_partner() -> None:
    study, sampler = study_and_sampler()
    trials = [sampler.ask_seats(study) for _ in range(2)]
    for trial in trials[0]:
        tell(study, trial)
    found = sampler.population(study)
    assert found is not None
    ready = [seat for seat in found.open_seats() if seat.generation == 1]
    paired = [seat for seat in ready if seat.partner in ready]
    assert seats(sampler.ask_seats(study)) == (paired or ready)[: 2 if paired else 1]


def test_a_seat_is_left_to_the_worker_of_its_partner() -> None:
    study, sampler = study_and_sampler()
    first, second = sampler.ask_seats(study)
    study.tell(second, state=TrialState.FAIL)
    assert seats(new_sampler(SPACE).ask_seats(study)) == [Seat(0, 2), Seat(0, 3)]
    tell(study, first)
    assert seats(sampler.ask_seats(study)) == [Seat(0, 1)]
