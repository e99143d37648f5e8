"""Progress bars of searches, trainings and counted steps."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.text import duration, number_of, seconds_between, shown_figures
from relativenas_optuna.cli.terminal import on_screen, verbosity
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.search.generation_summary import summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from optuna import Study
    from optuna.trial import FrozenTrial
    from rich.console import Console

    from relativenas_optuna.evaluation.standalone.result import Epoch
    from relativenas_optuna.objective.uniform_paths import UniformProgress
    from relativenas_optuna.search.search import Search

_BESIDE_THE_BAR = 68  # columns
_NARROWEST_BAR, _WIDEST_BAR = 5, 40
_FIGURES = 2  # in the line of an epoch; a task can have dozens


class Shown:
    """A progress bar that is on the screen inside of a `with` block."""

    _progress: Progress

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


class SearchProgress(Shown):
    """The progress bar of a search, with a line for each generation above it.

    If the output is not a terminal, only the lines are printed.

    Args:
        console: Console to print on.
        search: Search to show.
    """

    def __init__(self, console: Console, search: Search) -> None:
        self._search = search
        self._scored = search.scored
        self._complete = self._complete_generations()
        values = [t.value for t in search.study.get_trials(deepcopy=False) if t.value is not None]
        self._best = min(values, default=math.nan)
        self._progress = progress_bar(console)
        self._task = self._progress.add_task("", total=search.total)
        self._show()

    def paths(self, progress: UniformProgress) -> None:
        """Show the training of the shared weights; the `on_paths` of `Search.run`."""
        by = "another worker trains" if progress.waiting else "training"
        epoch = min(progress.done + 1, progress.total)
        self._progress.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            best="",
            description=f"{by} shared weights: epoch {epoch} of {progress.total}",
        )
        if progress.done == progress.total:
            say(self._progress, f"shared weights trained for {number_of(progress.total, 'epoch')}")
            self._show()

    def after(self, study: Study, trial: FrozenTrial) -> None:
        """Show a trial that has ended; a callback of `Search.run`."""
        if trial.value is None:
            self._warn(
                f"trial {trial.number} failed: its loss is not a number; its weights were put "
                f"back, its seat is scored again"
            )
        else:
            self._best = min(trial.value, self._best)  # this order replaces an initial NaN
            if verbosity() > 0:
                say(self._progress, scored_line(trial))
        self._scored = self._search.scored
        self._show()
        before, self._complete = self._complete, self._complete_generations()
        for generation in range(before, self._complete):
            self._generation(generation)

    def failed(self, trial: FrozenTrial, error: Exception) -> None:
        """Print a line about a trial whose training failed; the `on_failure` of `Search.run`."""
        self._warn(failure(trial, error))

    def _warn(self, text: str) -> None:
        if verbosity() < 0:  # the progress bar is hidden
            click.echo(text, err=True)
        else:
            say(self._progress, text)

    def _show(self) -> None:
        settings = self._search.plan.settings
        generation, member = divmod(min(self._scored, self._search.total - 1), settings.population)
        best = "" if math.isnan(self._best) else f"best loss {self._best:.4f}"
        self._progress.update(
            self._task,
            completed=self._scored,
            total=self._search.total,
            best=best,
            description=f"generation {generation + 1}/{settings.generations} "
            f"member {member + 1}/{settings.population}",
        )

    def _complete_generations(self) -> int:
        """Return how many generations have all their scores; fast learners may keep theirs."""
        population, settings = self._search.population, self._search.plan.settings
        seen = () if population is None else population.generations[: settings.generations]
        return sum(generation.complete for generation in seen)

    def _generation(self, generation: int) -> None:
        summary = summary_of(self._search.population, generation)
        if summary is not None:
            say(
                self._progress,
                f"generation {generation + 1}: best loss {summary.best:.4f}, "
                f"median {summary.median:.4f}, diversity {summary.diversity:.2f}",
            )
        if generation == 0 and self._search.plan.time is None:
            left = self._search.seconds_left(generation + 1)
            if left is not None:
                words = f"about {duration(left)} left for all generations and the choice"
                say(self._progress, words)


class TrainingProgress(Shown):
    """The progress bar of a training, with a line for each epoch above it.

    If the output is not a terminal, only the lines are printed.

    Args:
        console: Console to print on.
        epochs: Total number of epochs.
        images: Number of training images in one epoch.
    """

    def __init__(self, console: Console, *, epochs: int, images: int) -> None:
        self._epochs, self._images = epochs, images
        self._best: float | None = None
        self._shown_best = ""
        self._progress = progress_bar(console)
        self._task = self._progress.add_task("", total=epochs, best="")
        self._done = 0

    def begin(self, history: Sequence[Epoch]) -> None:
        """Show that the epochs in `history` are already done."""
        for epoch in history:
            self._better(epoch)
        self._done = len(history)
        if history:
            say(
                self._progress, f"going on after {self._done} of {number_of(self._epochs, 'epoch')}"
            )
        self._show(0)

    def batch(self, images: int) -> None:
        """Show that `images` images of the current epoch are done."""
        self._show(images)

    def epoch(self, epoch: Epoch) -> None:
        """Print a line about a finished epoch, and advance the bar."""
        self._better(epoch)
        self._done = epoch.epoch + 1
        line = f"epoch {self._done}: loss {epoch.training_loss:.4f}"
        if epoch.training_accuracy is not None:
            line += f", accuracy {100 * epoch.training_accuracy:.2f} %"
        if epoch.validation_figures:
            first = dict(list(epoch.validation_figures.items())[:_FIGURES])
            line += f"; validation {shown_figures(first)}"
        if epoch.validation_loss is not None and epoch.validation_accuracy is not None:
            line += (
                f"; validation loss {epoch.validation_loss:.4f}, accuracy "
                f"{100 * epoch.validation_accuracy:.2f} %"
            )
        say(self._progress, line)
        self._show(0)

    def _better(self, epoch: Epoch) -> None:
        if epoch.validation_accuracy is not None:
            self._best = max(epoch.validation_accuracy, self._best or 0.0)
            self._shown_best = f"best accuracy {100 * self._best:.2f} %"
        for name, value in [*(epoch.validation_figures or {}).items()][:1]:
            self._best = value if self._best is None else max(value, self._best)
            self._shown_best = f"best {name} {self._best:.4f}"

    def _show(self, images: int) -> None:
        self._progress.update(
            self._task,
            completed=self._done + min(images / self._images, 1),
            best=self._shown_best,
            description=f"epoch {min(self._done + 1, self._epochs)}/{self._epochs}",
        )


def scored_line(trial: FrozenTrial) -> str:
    """Return one line about a trial that was scored."""
    seat, began, ended = seat_of(trial), trial.datetime_start, trial.datetime_complete
    where = "" if seat is None else f" (generation {seat.generation + 1}, seat {seat.number})"
    seconds = f" after {seconds_between(began, ended):.1f} seconds" if began and ended else ""
    return f"trial {trial.number}{where}: loss {trial.value:.4f}{seconds}"


def failure(trial: FrozenTrial, error: Exception) -> str:
    """Return one line about a trial whose training failed with `error`."""
    reason = " ".join(without_password(f"{type(error).__name__}: {error}").split())
    return (
        f"trial {trial.number} failed: {reason}; its weights were put back, its seat is scored "
        f"again, at most three times in all"
    )


@contextmanager
def counting(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar for `total` equal steps.

    Args:
        console: Console to print on.
        what: Text before the bar.
        total: Number of steps.

    Yields:
        A function to call after each step.
    """
    with progress_bar(console) as progress:
        task = progress.add_task(what, total=total, best="")
        yield lambda: progress.advance(task)


@contextmanager
def measuring(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar for steps whose number is known after the first one.

    Args:
        console: Console to print on.
        what: Text before the bar.

    Yields:
        A function to call after each step, with the number of steps so far and of all.
    """
    with progress_bar(console) as progress:
        task = progress.add_task(what, total=None, best="")
        yield lambda done, of: progress.update(task, completed=done, total=of)


def progress_bar(console: Console) -> Progress:
    """Return a progress bar that only a terminal shows."""
    # In a full line, the terminal's "^C" would wrap to the next one and leave the bar behind.
    room = min(console.width - _BESIDE_THE_BAR, _WIDEST_BAR)
    return Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}"),
        *([BarColumn(bar_width=room)] if room >= _NARROWEST_BAR else []),
        TextColumn("{task.fields[best]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        disable=not on_screen(console),
        # The time left is estimated from this period, and a candidate can take minutes.
        speed_estimate_period=math.inf,
    )


def say(progress: Progress, line: str) -> None:
    """Print a line above a progress bar; outside a terminal it is not wrapped."""
    progress.print(line, soft_wrap=not on_screen(progress.console))
