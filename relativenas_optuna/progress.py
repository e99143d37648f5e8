"""Progress bars: of a search, and of anything counted."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from optuna.trial import FrozenTrial
    from rich.console import Console

    from relativenas_optuna.search import Search

_BESIDE_THE_BAR = 68  # columns


class SearchProgress:
    """The progress bar of a search, and a line for each generation above it.

    Where the output is no terminal there are only the lines.

    Args:
        console: To print on.
        search: To watch.
    """

    def __init__(self, console: Console, search: Search) -> None:
        self._search = search
        self._scored = search.scored
        values = [t.value for t in search.study.get_trials(deepcopy=False) if t.value is not None]
        self._best = min(values, default=math.nan)
        self._progress = _progress(console)
        self._task = self._progress.add_task("", total=search.total)
        self._show()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def after(self, trial: FrozenTrial) -> None:
        """Take notice of a trial that ended."""
        if trial.value is None:
            self._progress.print(
                f"trial {trial.number} failed: its loss is not a number; its weights were put "
                f"back, its seat is scored again"
            )
        else:
            self._best = min(trial.value, self._best)  # in this order a NaN goes
        population = self._search.plan.settings.population
        before, self._scored = self._scored, self._search.scored
        self._show()
        for generation in range(before // population, self._scored // population):
            self._generation(generation)

    def _show(self) -> None:
        settings = self._search.plan.settings
        generation, member = divmod(min(self._scored, self._search.total - 1), settings.population)
        best = "" if math.isnan(self._best) else f"best loss {self._best:.4f}"
        self._progress.update(
            self._task,
            completed=self._scored,
            best=best,
            description=f"generation {generation + 1}/{settings.generations} "
            f"member {member + 1}/{settings.population}",
        )

    def _generation(self, generation: int) -> None:
        summary = self._search.summary_of(generation)
        if summary is not None:
            best, median, diversity = summary
            self._progress.print(
                f"generation {generation + 1}: best loss {best:.4f}, median {median:.4f}, "
                f"diversity {diversity:.2f}"
            )


@contextmanager
def counting(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar for a number of like things; yields what is to be called after each."""
    with _progress(console) as progress:
        task = progress.add_task(what, total=total, best="")
        yield lambda: progress.advance(task)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}"),
        # Where a line is full, the terminal's ^C goes to the next one, and the bar stays behind.
        BarColumn(bar_width=min(max(console.width - _BESIDE_THE_BAR, 5), 40)),
        TextColumn("{task.fields[best]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # A candidate can take minutes, and the time left follows from those within this period.
        speed_estimate_period=math.inf,
    )
