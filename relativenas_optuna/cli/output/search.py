"""Output of `relativenas search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._utils.durations import short_time
from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.text import duration, number_of, shown_path, shown_place
from relativenas_optuna.cli.finals_progress import FinalsProgress
from relativenas_optuna.cli.output.choice import print_choice
from relativenas_optuna.cli.output.files import write_genotype
from relativenas_optuna.cli.output.time_plan import time_plan_line
from relativenas_optuna.cli.progress import SearchProgress, counting
from relativenas_optuna.cli.terminal import console, on_screen, print_line
from relativenas_optuna.search.finals.progress import readable_finals
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.spaces.genotype import node_lines
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.storages.urls import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from relativenas_optuna.search.choice import Choice, Ranked
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.search.search import Search
    from relativenas_optuna.search.study_file import Figure
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_NAMED = 3  # classes in a line
_LARGE = 128  # pixels of a side, above which a smaller size is suggested
_USUAL = 64  # pixels of a side that is suggested


class Console:
    """A printer of messages about one study.

    If the output is not a terminal, long lines are not wrapped.

    Args:
        storage: URL of the study's storage.
        study: Name of the study.
        stderr: True to print to standard error instead of standard output.
    """

    def __init__(self, *, storage: str, study: str, stderr: bool = False) -> None:
        self.storage = storage
        self.study = study
        self._console = console(stderr=stderr)
        self._notices = console(stderr=stderr, notices=True)

    def preparing(self, plan: SearchPlan) -> None:
        """Print the plan of a search that is about to start."""
        settings = plan.settings
        space = "" if plan.space == CELLS else f"space {plan.space}, "
        self._note(f"study {self.study!r} in {without_password(self.storage)}")
        length = f"generations {settings.generations}"
        if plan.time is not None and plan.speed is None:
            length = f"time {short_time(plan.time)}"
        self._note(
            f"data {plan.data}, {space}preset {plan.preset}, population {settings.population}, "
            f"{length}, seed {plan.seed}"
            f", sampler {plan.sampler}{_finals(plan)}"
        )

    def warn(self, line: str) -> None:
        """Print a warning, above the progress bar if one is shown."""
        self._print(line)

    def begins(self, search: Search) -> None:
        """Print the data and device of a search, and how many candidates are already scored."""
        objective = search.objective
        # The names of the classes show a wrongly divided folder.
        names = ", ".join(objective.classes[:_NAMED])
        more = ", ..." if len(objective.classes) > _NAMED else ""
        self._note(
            f"{len(objective.training)} images to train on, {len(objective.validation)} to "
            f"score with, {len(objective.classes)} classes ({names}{more}); "
            f"device {objective.device}"
        )
        for line in search.plan.limit_lines:
            self._note(line)
        if search.lacks_finals:
            self._note(
                f"no finals, because space {search.plan.space!r} has no stand-alone networks"
            )
        _, height, width = objective.training.shape
        if search.plan.size is None and max(height, width) > _LARGE:
            self._note(
                f"images are {width}x{height}: with --size {_USUAL} a candidate needs about "
                f"1/{round(height * width / _USUAL**2)} of the time and memory"
            )
        epochs = search.plan.settings.uniform_epochs
        if epochs:
            self._note(
                f"the shared weights are trained for {number_of(epochs, 'epoch')} on random paths "
                f"first; then candidates are only scored"
            )
        done = search.scored
        if 0 < done < search.total:
            self._note(f"going on after {done} of {search.total} candidates")

    def threads(self, line: str | None) -> None:
        """Print the number of CPU threads; nothing for None."""
        if line is not None:
            self._note(line)

    def time(self, search: Search) -> None:
        """Print what a search does within its time; nothing for a plan without one."""
        plan, within = search.plan, search.time_plan
        if within is not None:
            self._note(time_plan_line(plan, within))
        elif plan.time is not None and search.seconds_used is not None:
            self._note(f"time: {duration(search.seconds_used)} of {duration(plan.time)} are used")

    def progress(self, search: Search) -> SearchProgress:
        """Return the progress bar of a search."""
        return SearchProgress(self._notices, search)

    def finals(self, search: Search, *, on_rung: Callable[[], None]) -> FinalsProgress:
        """Return the progress bar of the finals of a search; see `FinalsProgress`."""
        return FinalsProgress(self._notices, search, on_rung=on_rung)

    def counting(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Show a progress bar for `total` steps; see `progress.counting`."""
        return counting(self._notices, what, total)

    def ended(self, choice: Choice, plan: SearchPlan) -> None:
        """Print the result of a search, and write the winner to the study's folder."""
        out = Path(plan.out)
        print_choice(self._console, choice, plan.finalists_of)
        self._genotype(choice.winner.genotype)
        self._write(choice.winner.genotype, out, "best", self.study)
        if is_in_memory(self.storage):
            self._note("the study was in memory only, and is not kept")
            return
        shown = without_password(self.storage)
        more = ("--generations", str(2 * max(choice.generations, plan.settings.generations)))
        if plan.time is not None:
            more = ("--time", short_time(2 * plan.time))
        extend = command("search", *more, storage=shown, study=self.study)
        self._note(
            f"look at it: {command('dashboard', storage=shown, study=self.study)}", whole=True
        )
        self._note(f"extend it:  {extend}", whole=True)
        if shown != self.storage:
            self._note("(*** stands for the password)")

    def already_finished(self, choice: Choice, plan: SearchPlan) -> None:
        """Print that the search is finished, its result, and how to extend it."""
        generations = number_of(choice.generations, "generation")
        self._note(f"study {self.study!r} is finished: {generations}")
        self.ended(choice, plan)

    def saved(self, search: Search) -> str:
        """Return the message about what is saved after an interruption."""
        record = None if search.plan.finals is None else readable_finals(search.study, search.plan)
        trainings = (
            ""
            if record is None or not record.total
            else f" and {len(record.trainings)} of {record.total} trainings of the finals"
        )
        return (
            f"{search.scored} of {search.total} candidates{trainings} are saved in study "
            f"{self.study!r}\nweights:     {shown_place(search.plan.place)}"
        )

    def best(self, best: Mapping[AnyGenotype, Ranked], top: int, folder: Path | None) -> None:
        """Print the best architectures of a study, and write them to a folder.

        Args:
            best: Architectures with their scores, the best first.
            top: Number of architectures to print.
            folder: An existing folder; None to write nothing.
        """
        for rank, (genotype, ranked) in enumerate(list(best.items())[:top], start=1):
            if rank > 1:
                self._print()
            self._print(f"{rank}. {ranked}")
            self._genotype(genotype)
            stem = "best" if rank == 1 else f"best-{rank}"
            if folder is not None:
                self._write(genotype, folder, stem, f"{self.study}, {ranked}")
        if top > len(best):
            self._note(f"\nthe study has only {number_of(len(best), 'different architecture')}")

    def figures(self, figures: Sequence[Figure]) -> None:
        """Print each figure that a study must reach, with the value that it reached."""
        if figures:
            self._print("\nfigures to reach")
        for figure in figures:
            verdict = "reached" if figure.reached else "MISSED"
            self._print(f"  {figure.name} {figure.value:.4f}, at least {figure.least}: {verdict}")

    def _genotype(self, genotype: AnyGenotype) -> None:
        """Print an architecture as text and as JSON, in a terminal with one node per line."""
        text, json = genotype.to_text(), genotype.to_json()
        if on_screen(self._console):
            # One node per line. Line breaks between tokens keep the JSON valid.
            text = node_lines(text)
            json = json.replace("]], [[", "]],\n  [[").replace('}, "reduce"', '},\n "reduce"')
        self._print(f"\n{text}\n\n{json}", whole=True)

    def _write(self, genotype: AnyGenotype, folder: Path, stem: str, title: str) -> None:
        names = write_genotype(genotype, folder, stem, title)
        self._note(f"\nwritten:    {shown_path(folder)}: {', '.join(names)}", whole=True)

    def _print(self, text: str = "", *, whole: bool = False) -> None:
        print_line(self._console, text, whole=whole)

    def _note(self, text: str, *, whole: bool = False) -> None:
        """Print a line that is not a result."""
        print_line(self._notices, text, whole=whole)


def _finals(plan: SearchPlan) -> str:
    if plan.finals is None:
        return ""
    return f", finals of {plan.finals.shortlist} for {plan.finals.target}"
