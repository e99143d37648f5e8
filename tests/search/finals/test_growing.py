"""Shortlists that grow while their first architectures are trained."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest

from relativenas_optuna.search.finals.records import FinalsRecord, Work
from relativenas_optuna.search.finals.store import FinalsStore
from tests.helpers.finals_worker import (
    ALL,
    Alive,
    Trainings,
    in_steps,
    trained,
    worker,
)


def test_a_shortlist_grows_when_all_its_architectures_are_trained(study: optuna.Study) -> None:
    trainings, grown = Trainings(), list[tuple[int, list[Work]]]()

    def growing(record: FinalsRecord, alive: Alive) -> FinalsRecord:
        grown.append((len(record.entrants), list(trainings.done)))
        return in_steps(record, alive)

    record = worker(study, shortlist=growing, train=trainings).run()
    assert grown == [(0, []), (2, ALL[:2]), (3, ALL[:3])]
    assert trainings.done == ALL
    assert record is not None
    assert record.finished
    assert not record.claims


@pytest.mark.parametrize("at", [0, 2, 3])
def test_a_choice_that_is_interrupted_is_made_again(at: int, study: optuna.Study) -> None:
    def interrupted(record: FinalsRecord, alive: Alive) -> FinalsRecord:
        if len(record.entrants) == at:
            raise KeyboardInterrupt
        return in_steps(record, alive)

    with pytest.raises(KeyboardInterrupt):
        worker(study, shortlist=interrupted).run()
    before = FinalsStore(study).read()
    assert before is not None
    assert not before.claims
    assert not before.finished
    record = worker(study, shortlist=in_steps).run()
    expected = worker(optuna.create_study(), shortlist=in_steps).run()
    assert record is not None
    assert expected is not None
    assert (record.entrants, record.order()) == (expected.entrants, expected.order())


def test_a_shortlist_that_cannot_grow_ends_with_what_it_has(study: optuna.Study) -> None:
    def short(record: FinalsRecord, alive: Alive) -> FinalsRecord:
        if not record.entrants:
            return in_steps(record, alive)
        return replace(record, sizes=(2,), epochs=(1,))

    record = worker(study, shortlist=short).run()
    assert record is not None
    assert record.finished
    assert record.order() == [1, 0]


def test_work_is_done_with_the_record_in_which_it_was_claimed(study: optuna.Study) -> None:
    """Another worker lets the shortlist grow between the look at the record and the claim."""

    def grows(record: FinalsRecord) -> None:
        if len(record.entrants) == 2 and not record.trainings:
            FinalsStore(study).change(lambda _: in_steps(trained(record), lambda: None))

    trainings = Trainings()
    record = worker(study, shortlist=in_steps, train=trainings, on_change=grows).run()
    assert trainings.done == ALL[2:]
    assert record is not None
    assert record.finished


def test_a_shortlist_grows_with_all_scores(study: optuna.Study) -> None:
    """Another worker ends the last training between the look at the record and the claim."""
    known: list[set[int]] = []

    def growing(record: FinalsRecord, alive: Alive) -> FinalsRecord:
        known.append(set(record.scores(0)))
        return in_steps(record, alive)

    def trains(record: FinalsRecord) -> None:
        if len(record.trainings) == 1:
            FinalsStore(study).change(lambda _: trained(record))

    trainings = Trainings()
    record = worker(study, shortlist=growing, train=trainings, on_change=trains).run()
    assert known == [set(), {0, 1}, {0, 1, 2}]
    assert trainings.done == [ALL[0], *ALL[2:]]
    assert record is not None
    assert len(record.trainings) == len(ALL)


def test_the_end_of_a_shortlist_that_cannot_grow_is_heard_of(study: optuna.Study) -> None:
    def short(record: FinalsRecord, alive: Alive) -> FinalsRecord:
        if not record.entrants:
            return in_steps(record, alive)
        return replace(record, sizes=(2,), epochs=(1,))

    heard: list[FinalsRecord] = []
    worker(study, shortlist=short, on_change=heard.append).run()
    assert heard[-1].finished
