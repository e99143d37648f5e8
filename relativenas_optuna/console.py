"""What people see of a search in a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import rich.console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from sqlalchemy.engine import make_url

from relativenas_optuna.output import command, file_names, program, shown_path, write_genotype
from relativenas_optuna.plan import SearchError, SearchPlan

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.choice import Choice, Finalist
    from relativenas_optuna.search import Search
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.study_file import StudyFile


class Console:
    """Prints what happens to one study.

    Args:
        storage: URL of the study's storage.
        study: Name of the study.
    """

    def __init__(self, *, storage: str, study: str) -> None:
        self._storage = storage
        self._study = study
        # Long commands must stay whole to be copied, so lines are not wrapped.
        self._console = rich.console.Console(highlight=False, soft_wrap=True)

    def preparing(self, plan: SearchPlan) -> None:
        """Say what is about to be searched."""
        settings = plan.settings
        shown = make_url(self._storage).render_as_string(hide_password=True)
        self._print(f"study {self._study!r} in {shown}")
        self._print(
            f"data {plan.data}, preset {plan.preset}, {settings.generations} generations of "
            f"{settings.population} members, seed {plan.seed}"
        )

    def follow(self, search: Search) -> None:
        """Run a search under a progress bar."""
        objective, population = search.objective, search.plan.settings.population
        self._print(
            f"{len(objective.training)} pictures to train on, {len(objective.validation)} to "
            f"score with, {len(objective.classes)} classes; device {objective.device}"
        )
        done = search.scored
        if 0 < done < search.total:
            self._print(f"going on after {done} of {search.total} candidates")
        best = _best_loss(search)
        with self._progress("{task.fields[best]}") as progress:
            task = progress.add_task("", total=search.total, completed=done, best=_shown(best))

            def place(scored: int) -> None:
                at = min(scored, search.total - 1)
                progress.update(
                    task,
                    completed=scored,
                    best=_shown(best),
                    description=f"generation {at // population + 1}/"
                    f"{search.plan.settings.generations} member {at % population + 1}/{population}",
                )

            def after(trial: FrozenTrial) -> None:
                nonlocal best, done
                if trial.value is None:
                    progress.print(
                        f"trial {trial.number} failed: its loss is not a number; its weights "
                        f"were put back, its seat is scored again"
                    )
                else:
                    best = trial.value if best is None else min(best, trial.value)
                before, done = done, search.scored
                place(done)
                if done // population > before // population:
                    self._generation(progress, search, done // population - 1)

            place(done)
            search.run(after)

    def choose(self, search: Search) -> Choice:
        """Let a search choose its winner under a progress bar."""
        from relativenas_optuna.choice import FINALISTS, RANDOM_ARCHITECTURES

        with self._progress("") as progress:
            task = progress.add_task(
                "scoring the last generation again", total=FINALISTS + RANDOM_ARCHITECTURES
            )
            return search.choose(lambda: progress.advance(task))

    def ended(self, search: Search, choice: Choice) -> None:
        """Report the winner and write it to the study's folder."""
        out = Path(search.plan.out)
        self._finalists(choice)
        write_genotype(choice.winner.genotype, out, "best", self._study)
        self._genotype(choice.winner.genotype)
        self._print(
            f"\nwritten: {', '.join(shown_path(out / name) for name in file_names('best'))}"
        )
        self._afterwards(search.plan)

    def already_finished(self, choice: Choice, plan: SearchPlan) -> None:
        """Say that there is nothing left to do, and how there could be."""
        self._print(f"study {self._study!r} is finished: {choice.generations} generations")
        self._finalists(choice)
        self._genotype(choice.winner.genotype)
        self._afterwards(plan)

    def interrupted(self, search: Search) -> None:
        """Say what Ctrl-C left behind."""
        self._print(
            f"\ninterrupted: {search.scored} of {search.total} candidates are saved in the study, "
            f"their weights in {shown_path(Path(search.plan.out))}",
        )
        self._print(f"go on:    {self._command('search')}")

    def best(self, study: optuna.Study, top: int, out: Path | None) -> None:
        """Print and draw the best architectures of a study.

        Raises:
            SearchError: No trial of it has an architecture.
        """
        from relativenas_optuna.choice import Choice
        from relativenas_optuna.spaces.genotype import Genotype

        plan, choice = SearchPlan.stored_in(study), Choice.stored_in(study)
        folder = out or Path(plan.out if plan else ".")
        shown: list[tuple[str, Genotype]] = []
        if choice is not None:
            shown = [(_described(f), f.genotype) for f in choice.finalists]
        if top > len(shown):
            known = {genotype for _, genotype in shown}
            for trial in sorted(study.get_trials(deepcopy=False), key=_rank):
                text = trial.user_attrs.get("genotype")
                genotype = None if text is None or trial.value is None else Genotype.from_text(text)
                if genotype is not None and genotype not in known:
                    known.add(genotype)
                    shown.append((f"trial {trial.number}: loss {trial.value:.4f}", genotype))
        if not shown:
            raise SearchError(
                f"study {self._study!r} has no scored architecture; search it first: "
                f"{self._command('search')}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for rank, (title, genotype) in enumerate(shown[:top], start=1):
            self._print(f"{rank}. {title}")
            self._genotype(genotype)
            stem = "best" if rank == 1 else f"best-{rank}"
            write_genotype(genotype, folder, stem, f"{self._study}, {title}")
            self._print(
                f"   written: {', '.join(shown_path(folder / name) for name in file_names(stem))}"
            )

    def reached(self, described: StudyFile, choice: Choice) -> bool:
        """Print the figures that a study must reach beside those that it has reached."""
        self._print("\nfigures to reach")
        checks = described.check(choice)
        for name, least, figure in checks:
            verdict = "reached" if figure >= least else "MISSED"
            self._print(f"  {name}: {figure:.4f}, at least {least:.4f}: {verdict}")
        return all(figure >= least for _, least, figure in checks)

    def _finalists(self, choice: Choice) -> None:
        self._print("\nthe best of the last generation, scored again with the final shared weights")
        for rank, finalist in enumerate(choice.finalists, start=1):
            self._print(f"  {rank}. {_described(finalist)}, {finalist.search_loss:.4f} in search")
        winner, others = choice.winner, choice.finalists[1:]
        if others:
            ahead = others[0].loss - winner.loss
            points = 100 * (winner.accuracy - others[0].accuracy)
            self._print(
                f"trial {winner.trial} won, by {ahead:.4f} in loss and {points:+.2f} points of "
                f"accuracy over trial {others[0].trial}"
            )
        else:
            self._print(f"trial {winner.trial} won; every other member was the same")
        self._print(
            f"accuracy of the winner {winner.accuracy:.4f}, median of "
            f"{len(choice.random_accuracies)} random architectures with the same weights "
            f"{choice.random_accuracy:.4f}"
        )

    def _genotype(self, genotype: Genotype) -> None:
        self._print(f"\n{genotype.to_text()}\n{genotype.to_json()}")

    def _afterwards(self, plan: SearchPlan) -> None:
        more = 2 * plan.settings.generations
        self._print(f"look at it: {program('optuna-dashboard')} {shlex.quote(self._storage)}")
        self._print(f"extend it:  {self._command('search', '--generations', str(more))}")

    def _generation(self, progress: Progress, search: Search, generation: int) -> None:
        summary = search.summary_of(generation)
        if summary is not None:
            best, median, diversity = summary
            progress.print(
                f"generation {generation + 1}: best loss {best:.4f}, median {median:.4f}, "
                f"diversity {diversity:.2f}"
            )

    def _progress(self, field: str) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *([TextColumn(field)] if field else []),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def _command(self, *words: str) -> str:
        return command(*words, storage=self._storage, study=self._study)

    def _print(self, text: str) -> None:
        # Names and paths are text: brackets in them are no markup.
        self._console.print(text, markup=False)


def _described(finalist: Finalist) -> str:
    accuracy = f"{100 * finalist.accuracy:.2f} %"
    return f"trial {finalist.trial}: loss {finalist.loss:.4f}, accuracy {accuracy}"


def _best_loss(search: Search) -> float | None:
    values = [t.value for t in search.study.get_trials(deepcopy=False) if t.value is not None]
    return min(values, default=None)


def _shown(loss: float | None) -> str:
    return "" if loss is None else f"best loss {loss:.4f}"


def _rank(trial: FrozenTrial) -> tuple[float, int]:
    return (float("inf") if trial.value is None else trial.value, trial.number)
