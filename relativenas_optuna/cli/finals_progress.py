"""The progress bar of the finals of a search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.cli.progress import Shown, progress_bar, say
from relativenas_optuna.search.finals.halving import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from relativenas_optuna.search.finals.records import FinalsRecord, Work
    from relativenas_optuna.search.finals.run import FinalsHooks
    from relativenas_optuna.search.search import Search


class FinalsProgress(Shown):
    """The progress bar of the finals, with a line for each rung above it.

    If the output is not a terminal, only the lines are printed.

    Args:
        console: Console to print on.
        search: Search whose finals are shown.
        on_rung: Called when a rung is complete.
    """

    def __init__(self, console: Console, search: Search, *, on_rung: Callable[[], None]) -> None:
        finals = search.plan.finals
        assert finals is not None
        batch_size = finals.batch_size or search.plan.settings.batch_size
        self._steps = max(1, math.ceil(len(search.objective.training) / batch_size))
        self._on_rung = on_rung
        self._rungs = 0  # that were complete at the last change
        self._done, self._batches = 0, 0
        self._progress = progress_bar(console)
        self._chosen = False  # the first architectures of the shortlist
        total = search.choices - sum(steps_of(finals)[1:])
        self._task = self._progress.add_task("finals: making the shortlist", total=total, best="")

    @property
    def hooks(self) -> FinalsHooks:
        """Functions to give to `Search.run_finals`."""
        from relativenas_optuna.search.finals.run import FinalsHooks

        return FinalsHooks(
            on_scored=self._scored,
            on_change=self._changed,
            on_batch=self._batch,
            on_failure=self._failed,
        )

    def _scored(self) -> None:
        if not self._chosen:
            self._progress.advance(self._task)

    def _changed(self, record: FinalsRecord) -> None:
        self._chosen = bool(record.entrants)
        if not self._chosen:
            return
        self._batches = 0
        self._done = sum(record.epochs[training.rung] for training in record.trainings)
        complete = [r for r, size in enumerate(record.sizes) if len(record.scores(r)) == size]
        for rung in complete[self._rungs :]:
            say(self._progress, rung_line(record, rung))
            self._on_rung()
        self._rungs = len(complete)
        total = sum(n * e for n, e in zip(record.sizes, record.epochs, strict=True))
        rung = min(self._rungs, len(record.sizes) - 1)
        trainings = min(len(record.trainings) + 1, record.total)
        self._progress.update(
            self._task,
            total=total,
            completed=self._done,
            best=_best(record),
            description=f"finals: rung {rung + 1}/{len(record.sizes)} training "
            f"{trainings}/{record.total}",
        )

    def _batch(self) -> None:
        self._batches += 1
        self._progress.update(self._task, completed=self._done + self._batches / self._steps)

    def _failed(self, work: Work, error: Exception) -> None:
        say(self._progress, finals_failure(work, error))


def rung_line(record: FinalsRecord, rung: int) -> str:
    """Return one line about a complete rung."""
    ranked = record.ranked(rung)
    best = record.scores(rung)[ranked[0]]
    line = (
        f"finals, rung {rung + 1} of {len(record.sizes)}: the first of {len(ranked)} has accuracy "
        f"{100 * best.accuracy:.2f} %"
    )
    more = rung + 1 < len(record.sizes)
    return f"{line}; {record.sizes[rung + 1]} go on" if more else line


def finals_failure(work: Work, error: Exception) -> str:
    """Return one line about a training of the finals that failed with `error`."""
    reason = " ".join(without_password(f"{type(error).__name__}: {error}").split())
    return (
        f"the training of architecture {work.entrant + 1} in rung {work.rung + 1} of the finals "
        f"failed: {reason}; it is repeated, at most three times in all"
    )


def _best(record: FinalsRecord) -> str:
    accuracies = [training.score.accuracy for training in record.trainings]
    return f"best accuracy {100 * max(accuracies):.2f} %" if accuracies else ""
