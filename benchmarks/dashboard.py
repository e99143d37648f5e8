"""Measure the cost of showing a search in optuna-dashboard, per trial and generation.

Usage: python benchmarks/dashboard.py [--quick] [--generations 10,50,200] [--window 200]

Generations of 20 members with 16 edges and 7 operations, in a SQLite database. Two studies are
alike but for the dashboard's notes, drawings and figures; asked and told in turn, the one says what
the sampler's own cost is without them, the other with them. Processor time of this process, the
least of the windows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
from rich.console import Console
from rich.table import Table

from relativenas_optuna import CellSpace, RelativeNASSampler, open_storage
from relativenas_optuna.dashboard import DashboardReporter

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

MEMBERS = 20
SPACE = CellSpace()
WINDOWS = 3


class Measured:
    """A study whose trials are asked for and told one after the other."""

    def __init__(self, storage: BaseStorage, name: str) -> None:
        sampler = RelativeNASSampler(
            SPACE.distributions, population_size=MEMBERS, seed=0, preset="paper"
        )
        self.study = optuna.create_study(storage=storage, sampler=sampler, study_name=name)
        self._random = np.random.default_rng(0)
        self.last: FrozenTrial | None = None

    def trials(self, count: int) -> float:
        """Return the milliseconds per trial of a number of trials."""
        start = time.process_time()
        for _ in range(count):
            trial = self.study.ask()
            genotype = SPACE.suggest(trial)
            trial.set_user_attr("genotype", genotype.to_text())
            trial.set_user_attr("multiply_adds", int(self._random.integers(10**9)))
            self.last = self.study.tell(trial, float(self._random.random()))
        return 1000 * (time.process_time() - start) / count


def row(plain: Measured, shown: Measured, folder: Path, window: int) -> list[str]:
    """Return the figures of two studies of equal length."""
    reporter = DashboardReporter(folder)
    reporter.write(shown.study)  # all drawings that are missing
    shown.trials(MEMBERS)
    plain.trials(MEMBERS)
    start, processor = time.monotonic(), time.process_time()
    assert shown.last is not None
    DashboardReporter(folder)(shown.study, shown.last)
    wall, processor = time.monotonic() - start, time.process_time() - processor
    without, with_it = [], []
    for _ in range(WINDOWS):
        without.append(plain.trials(window))
        with_it.append(shown.trials(window))
    start = time.process_time()
    for _ in range(window):
        reporter(shown.study, shown.last)  # which has nothing to write, so soon after it wrote
    throttled = 1000 * (time.process_time() - start) / window
    watching = DashboardReporter(folder)
    watching.write(shown.study)
    watching._not_before = 0.0
    start = time.process_time()
    for _ in range(window):
        watching(shown.study, shown.last)
    looking = 1000 * (time.process_time() - start) / window
    attributes = shown.study._storage.get_study_system_attrs(shown.study._study_id)
    figures = sum(len(v) for k, v in attributes.items() if k.startswith("dashboard:plot_data:"))
    return [
        f"{min(without):.2f}",
        f"{min(with_it):.2f}",
        f"{looking:.3f} / {throttled:.4f}",
        f"{processor:.2f} / {wall:.2f}",
        f"{figures / 1000:.0f}",
        f"{len(attributes)}",
    ]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="Benchmark of what the dashboard costs.")
    parser.add_argument("--quick", action="store_true", help="small figures, which say nothing")
    parser.add_argument("--generations", default="10,50,200", help="lengths of the search")
    parser.add_argument("--window", type=int, default=200, help="trials that are measured")
    asked = parser.parse_args()
    lengths = [1] if asked.quick else [int(part) for part in asked.generations.split(",")]
    window = 4 if asked.quick else asked.window
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    table = Table(
        "generations of 20",
        "ask and tell in ms, no dashboard",
        "with its attributes",
        "callback in ms, looks / waits",
        "a write in s, processor / wall",
        "figures in kB",
        "attributes",
        title="What a dashboard costs a search on SQLite",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        storage = open_storage(f"sqlite:///{folder / 'study.db'}", heartbeat_interval=None)
        plain, shown = Measured(storage, "plain"), Measured(storage, "shown")
        for length in sorted(lengths):
            for measured in (plain, shown):
                made = len(measured.study.get_trials(deepcopy=False))
                measured.trials(max(0, length * MEMBERS - made))
            table.add_row(str(length), *row(plain, shown, folder / "artifacts", window))
        storage.remove_session()
        storage.engine.dispose()
    Console().print(table)


if __name__ == "__main__":
    main()
