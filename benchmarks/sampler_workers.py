"""Search one study with several processes on a server: trials per second, repeated seats."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from rich.table import Table
from sampler_cases import PRESETS, SERVERS, opened, ours, server, study_for_a_while, suggest

from relativenas_optuna.samplers.seats.claims import seat_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

SERVER = "PostgreSQL"
OBJECTIVE = 0.05  # seconds
WARM_UP = 3  # trials of each worker before the measured ones


@dataclass(frozen=True)
class Case:
    """A sampler of ours, or RandomSampler where there is no preset, on a kind of storage."""

    stock: bool
    preset: str | None = None
    population: int = 0

    def sampler(self) -> BaseSampler:
        """Return a fresh sampler."""
        return ours(self.preset, self.population) if self.preset else RandomSampler()

    def __str__(self) -> str:
        return f"ours, {self.preset}, {self.population}" if self.preset else "RandomSampler"


@dataclass
class Outcome:
    """The results of the runs of a case.

    Attributes:
        rates: Trials per second of each run.
        seats: Seats that were scored, in all runs.
        doubles: Complete trials at seats that had one already, in all runs.
    """

    rates: list[float] = field(default_factory=list)
    seats: int = 0
    doubles: int = 0


def workers_tables(
    workers: int, seconds: float, repetitions: int, populations: Sequence[int]
) -> list[Table]:
    """Return a table with stock RDBStorage and one with `open_storage`; best runs count."""
    title = f"{workers} processes on {SERVER}, objective of {OBJECTIVE * 1000:.0f} ms"
    url = server(SERVER)
    if url is None:
        left_out = Table(title=title)
        left_out.add_row(f"left out: {SERVERS[SERVER]} is not set")
        return [left_out]
    cases = [Case(stock) for stock in (True, False)]
    cases += [
        Case(case.stock, preset, size)
        for case in cases
        for size in populations
        for preset in PRESETS
    ]
    outcomes = {case: Outcome() for case in cases}
    with team(workers, url) as crew:
        crew.run(cases[0], 0.0, Outcome())  # what is done once in a process
        for _ in range(repetitions):
            for case, outcome in outcomes.items():
                crew.run(case, seconds, outcome)
    return [
        _table(f"{title}, {name}", {c: o for c, o in outcomes.items() if c.stock == stock})
        for stock, name in ((True, "RDBStorage"), (False, "open_storage"))
    ]


def _table(title: str, outcomes: dict[Case, Outcome]) -> Table:
    table = Table(title=title)
    table.add_column("sampler", no_wrap=True)
    for column in ("trials/s", "to Random", "each run", "seats", "scored twice"):
        table.add_column(column, justify="right", no_wrap=True)
    best = max(next(iter(outcomes.values())).rates)
    for case, outcome in outcomes.items():
        rate = max(outcome.rates)
        table.add_row(
            str(case),
            f"{rate:.1f}",
            f"{rate / best:.1%}",
            " ".join(f"{run:.1f}" for run in outcome.rates),
            f"{outcome.seats}" if case.preset else "-",
            f"{outcome.doubles / outcome.seats:.1%}" if case.preset else "-",
        )
    return table


@dataclass
class Team:
    """Workers that wait for a study each at their end of a pipe."""

    pipes: list[Connection]
    url: str

    def run(self, case: Case, seconds: float, outcome: Outcome) -> None:
        """Let all workers score trials for so many seconds after their warm-up."""
        with (
            opened(self.url, stock=case.stock) as storage,
            study_for_a_while(storage, case.sampler(), "workers") as study,
        ):
            for pipe in self.pipes:
                pipe.send((case, self.url, study.study_name, seconds))
            outcome.rates.append(sum(pipe.recv() for pipe in self.pipes))
            if case.preset:
                seats = scored_seats(study)
                outcome.seats += len(seats)
                outcome.doubles += seats.total() - len(seats)


def scored_seats(study: Study) -> Counter[object]:
    """Return the number of complete trials of each seat."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return Counter(seat_of(trial) for trial in trials)


@contextlib.contextmanager
def team(workers: int, url: str) -> Iterator[Team]:
    """Start the workers once, for to import Optuna takes them seconds."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    ends = [context.Pipe() for _ in range(workers)]
    crew = [context.Process(target=work, args=(far, barrier)) for _, far in ends]
    for process in crew:
        process.start()
    try:
        yield Team([near for near, _ in ends], url)
        for near, _ in ends:
            near.send(None)
        for process in crew:
            process.join()
    finally:
        for process in crew:
            process.kill()


def work(pipe: Connection, barrier: Barrier) -> None:
    """Score trials of one study after the other; answers with trials per second."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for case, url, name, seconds in iter(pipe.recv, None):
        with opened(url, stock=case.stock) as storage:
            study = optuna.load_study(study_name=name, storage=storage, sampler=case.sampler())
            study.optimize(objective, n_trials=WARM_UP)
            ends: list[float] = []

            def note(study: Study, trial: FrozenTrial, ends: list[float] = ends) -> None:
                ends.append(time.perf_counter())

            barrier.wait()
            begin = time.perf_counter()
            # A trial that began in time is ended, and its time counts too.
            study.optimize(objective, timeout=seconds, callbacks=[note])
            pipe.send(len(ends) / (ends[-1] - begin) if ends else 0.0)


def objective(trial: Trial) -> float:
    """Suggest all parameters, then sleep, as for a training that runs on another device."""
    loss = suggest(trial)
    time.sleep(OBJECTIVE)
    return loss
