"""The progress of the finals of a search, read from its study."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.seats.worker import is_dead
from relativenas_optuna.search.choice import if_readable
from relativenas_optuna.search.finals.records import SHORTLIST
from relativenas_optuna.search.finals.store import FinalsStore
from relativenas_optuna.search.status_record import FinalsStatus

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.search.finals.records import FinalsRecord
    from relativenas_optuna.search.plan import SearchPlan


def readable_finals(study: optuna.Study, plan: SearchPlan) -> FinalsRecord | None:
    """Return the record of a plan's finals; None if they have not started.

    A record that cannot be read is ignored with a warning.
    """
    record = if_readable(FinalsStore(study).read)
    fits = record is not None and (
        record.settings == plan.finals and record.generations >= plan.settings.generations
    )
    return record if fits else None


def changes_of_finals(study: optuna.Study) -> int:
    """Return how often the record of a study's finals was changed; 0 without a readable one."""
    with suppress(SearchError):
        record = FinalsStore(study).read()
        return 0 if record is None else record.version + 1
    return 0


def finals_status(record: FinalsRecord) -> FinalsStatus:
    """Return the progress of finals."""
    scored = [rung for rung in range(len(record.sizes)) if record.scores(rung)]
    complete = sum(len(record.scores(rung)) == record.sizes[rung] for rung in scored)
    accuracies = [score.accuracy for rung in scored[-1:] for score in record.scores(rung).values()]
    return FinalsStatus(
        rung=min(complete + 1, len(record.sizes)),
        rungs=len(record.sizes),
        done=len(record.trainings),
        total=record.total,
        running=_running(record),
        accuracy=max(accuracies, default=None),
        target=record.settings.target,
    )


def finals_seconds_left(record: FinalsRecord | None) -> float | None:
    """Return the seconds that finals in progress still take at the speed of their trainings.

    The number of workers is assumed to stay the same. The result is None if there are no finals, no
    training is running, or no training is finished.
    """
    if record is None or not record.trainings or not (running := _running(record)):
        return None
    done = sum(record.epochs[training.rung] for training in record.trainings)
    total = sum(n * epochs for n, epochs in zip(record.sizes, record.epochs, strict=True))
    seconds = sum(training.seconds for training in record.trainings)
    return seconds / done * (total - done) / running


def _running(record: FinalsRecord) -> int:
    return sum(
        bool(claim.worker) and not is_dead(claim.worker)
        for claim in record.claims
        if claim.rung != SHORTLIST or record.entrants
    )
