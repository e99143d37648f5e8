"""A worker of finals whose trainings have known results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna

from relativenas_optuna.search.finals.loop import FinalsWorker
from relativenas_optuna.search.finals.records import (
    SHORTLIST,
    Entrant,
    FinalsRecord,
    Training,
    Work,
)
from relativenas_optuna.search.finals.scores import RungScore
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.finals.store import FinalsStore

MAKE_SHORTLIST = Work(SHORTLIST, 0)
START = FinalsRecord(generations=3, settings=FinalsSettings(shortlist=4), space="cells")
ACCURACIES = ((0.4, 0.6, 0.5, 0.1), (0.0, 0.7, 0.9, 0.0))  # by rung and entrant
Alive = Callable[[], None]
ALL = [*(Work(0, entrant) for entrant in range(4)), Work(1, 1), Work(1, 2)]


def shortlist(record: FinalsRecord, alive: Alive) -> FinalsRecord:
    alive()
    entrants = tuple(
        Entrant(
            genotype=f"genotype {number}",
            trial=number,
            search_loss=1.0,
            loss=1.0 + number,
            accuracy=0.5,
            parameters=10,
        )
        for number in range(4)
    )
    return replace(
        record, sizes=(4, 2), epochs=(1, 2), entrants=entrants, random_accuracies=(0.25, 0.5)
    )


def in_steps(record: FinalsRecord, alive: Alive) -> FinalsRecord:
    """Choose two architectures of the shortlist, then one after another."""
    whole = shortlist(record, alive)
    more = len(record.entrants) + 1 if record.entrants else 2
    return replace(whole, entrants=(*record.entrants, *whole.entrants[len(record.entrants) : more]))


class Trainings:
    """Trainings that come to `ACCURACIES`, and a list of them."""

    def __init__(self) -> None:
        self.done: list[Work] = []

    def __call__(
        self, record: FinalsRecord, entrant: Entrant, rung: int, alive: Alive
    ) -> RungScore:
        alive()
        work = Work(rung, record.entrants.index(entrant))
        self.done.append(work)
        return RungScore(loss=1.0, accuracy=ACCURACIES[work.rung][work.entrant])


def trained(record: FinalsRecord) -> FinalsRecord:
    """Return a record with the trainings of its architectures in the first rung."""
    for number, accuracy in enumerate(ACCURACIES[0][: len(record.entrants)]):
        score = RungScore(loss=1.0, accuracy=accuracy)
        record = record.with_training(Training(rung=0, entrant=number, score=score, seconds=1.0))
    return record


def worker(study: optuna.Study, start: FinalsRecord = START, **changes: Any) -> FinalsWorker:
    arguments: dict[str, Any] = {"shortlist": shortlist, "train": Trainings()}
    return FinalsWorker(FinalsStore(study), start, **arguments | changes)
