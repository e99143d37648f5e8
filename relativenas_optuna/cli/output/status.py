"""Format the status of a study for people, as a screen, a text or a line."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.text import ago, duration, number_of, shown_name
from relativenas_optuna.search.choice import WITHOUT_TRIAL
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.spaces.names import CELLS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from relativenas_optuna.search.status_record import FinalsStatus, Status

_GENERATIONS = 6  # of the newest, so that all fits on a screen
_BAR = 24  # columns
_LABEL = 12  # columns


class StatusReport:
    """A formatted status, for a terminal or a file.

    Args:
        status: Status to show.
        storage: URL of the study's storage.
    """

    def __init__(self, status: Status, *, storage: str) -> None:
        self._of = status
        self._storage = without_password(storage)

    @property
    def line(self) -> str:
        """The figures that change during a search, on one line."""
        of = self._of
        generation = "" if of.generation is None else f"generation {self._generation()}; "
        trained = of.trained_epochs == of.uniform_epochs
        weights = "" if trained else f"shared weights: {self._weights()}; "
        finals = "" if of.finals is None else f"finals: {self._finals(of.finals)}; "
        return (
            f"{weights}{generation}{self._scored()} scored, {of.running} running, "
            f"{self._failed()} failed; {self._workers()}; {finals}best {self._best()}; "
            f"time left: {self._left()}"
        )

    @property
    def text(self) -> str:
        """The whole status as text, for a file or a pipe."""
        lines = [f"{label:<{_LABEL}}{value}" for label, value in self._rows()]
        if self._of.history:
            # Plain text has no width, so lines are not wrapped.
            aligned = [" ".join(f"{cell:>10}" for cell in row) for row in self._history()]
            lines += ["", *aligned]
        return "\n".join(lines + self._go_on())

    @property
    def screen(self) -> RenderableType:
        """The whole status for a terminal."""
        grid = Table.grid()
        grid.add_column(width=_LABEL, no_wrap=True, style="bold")
        grid.add_column(overflow="fold")
        for label, value in self._rows():
            grid.add_row(label, value)
            if label == "scored" and self._of.total is not None:
                bar = ProgressBar(total=self._of.total, completed=self._of.scored, width=_BAR)
                grid.add_row("", bar)
        parts: list[RenderableType] = [grid]
        if self._of.history:
            headings, *rows = self._history()
            table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
            for heading in headings:
                table.add_column(heading, justify="right")
            for row in rows:
                table.add_row(*row)
            parts += ["", table]
        return Group(*parts, *self._go_on())

    def _rows(self) -> list[tuple[str, str]]:
        of = self._of
        generation = [] if of.generation is None else [("generation", self._generation())]
        return [
            ("study", f"{shown_name(of.study)} in {self._storage}"),
            ("search", self._search()),
            *([] if of.trained_epochs is None else [("weights", self._weights())]),
            *generation,
            ("scored", self._scored()),
            ("running", self._running()),
            ("failed", self._failed()),
            ("workers", self._workers()),
            *([] if of.finals is None else [("finals", self._finals(of.finals))]),
            ("best", self._best()),
            ("time left", self._left()),
            ("last write", "never" if of.last_written is None else ago(of.last_written)),
        ]

    def _search(self) -> str:
        of = self._of
        parts = []
        if of.data is not None:
            space = "" if of.space == CELLS else f"space {of.space}, "
            parts.append(f"data {of.data}, {space}preset {of.search_preset}")
        if of.population is not None:
            preset = "" if of.preset is None else f", preset {of.preset}"
            unknown = ", whose generations only its own module can read"
            parts.append(
                f"{of.sampler}{preset}, population {of.population}"
                f"{unknown if of.complete_generations is None else ''}"
            )
        elif of.sampler is not None:
            parts.append(f"{of.sampler}, without generations")
        else:
            begun = of.last_written is not None
            parts.append("of another sampler, without generations" if begun else "not started")
        return "; ".join(parts)

    def _weights(self) -> str:
        epochs = number_of(self._of.uniform_epochs or 0, "epoch")
        return f"{self._of.trained_epochs} of {epochs} trained"

    def _generation(self) -> str:
        of = self._of
        known = "" if of.generations is None else f" of {of.generations}"
        return f"{of.generation}{known}, {of.complete_generations} complete"

    def _scored(self) -> str:
        of = self._of
        pruned = f", {of.pruned} pruned" if of.pruned else ""
        return f"{of.scored}{'' if of.total is None else f' of {of.total}'}{pruned}"

    def _running(self) -> str:
        lost = self._of.lost
        of_lost = f"; {lost} of dead workers, to be scored again" if lost else ""
        return f"{self._of.running}{of_lost}"

    def _failed(self) -> str:
        interrupted = self._of.interrupted
        beside = f" ({interrupted} more ended with their workers)" if interrupted else ""
        return f"{self._of.failed}{beside}"

    def _workers(self) -> str:
        of = self._of
        if not of.workers:
            told = of.running and "not known: the trials do not name their workers"
            return told or "none alive"
        machines: dict[str, list[str]] = defaultdict(list)
        for worker in of.workers:
            machines[worker.machine].append(str(worker.pid))
        where = "; ".join(f"{name}, pid {' '.join(pids)}" for name, pids in machines.items())
        return f"{len(of.workers)} alive ({where})"

    def _finals(self, finals: FinalsStatus) -> str:
        if not finals.total:
            return "the shortlist is not made yet"
        words = f"{finals.done} of {finals.total} trainings, rung {finals.rung} of {finals.rungs}"
        if finals.done < finals.total:
            words += f", {finals.running} running"
        if finals.accuracy is not None:
            words += f"; best accuracy of the rung {100 * finals.accuracy:.2f} %"
        return f"{words}; for {finals.target}"

    def _best(self) -> str:
        of = self._of
        if of.front is not None:
            return f"{of.front} trials, none of which dominates another"
        if of.best is None:
            return "none yet"
        accuracy = of.best.accuracy
        value = f"loss {of.best.loss:.4f}" if of.data else f"value {of.best.loss:.6g}"
        won = "" if accuracy is None else f", accuracy {100 * accuracy:.2f} %, with final weights"
        if of.best.standalone is not None:
            won += f"; accuracy {100 * of.best.standalone:.2f} % trained stand-alone in the finals"
        unscored = WITHOUT_TRIAL[of.best.chosen_by]
        name = unscored if of.best.trial is None else f"trial {of.best.trial}"
        return f"{name}: {value}{won}"

    def _left(self) -> str:
        of = self._of
        if of.finished:
            return "none, the search is finished"
        if of.total is None:
            return "not known: the study has no planned number of trials"
        if of.time is not None and of.seconds_left is not None:
            return f"about {duration(of.seconds_left)} of {duration(of.time)}"
        if of.seconds_left is not None and (of.running or of.scored >= of.total):
            return f"about {duration(of.seconds_left)}"
        if of.scored >= of.total:
            return "not known: the winner is not chosen yet"
        return "not known yet" if of.running else "not known: no worker is running"

    def _history(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("generation", "best", "median", "diversity")]
        for one in self._of.history[-_GENERATIONS:]:
            diversity = "" if one.diversity is None else f"{one.diversity:.2f}"
            rows.append((str(one.number), f"{one.best:.4f}", f"{one.median:.4f}", diversity))
        return rows

    def _go_on(self) -> list[str]:
        of = self._of
        if of.total is None or of.finished or of.running or (of.finals and of.finals.running):
            return []
        return ["", f"go on: {command('search', storage=self._storage, study=of.study)}"]
