"""Compare asking for a whole generation with asking trial by trial, on databases."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from sampler_cases import SERVERS, loss, opened, ours, server, study_for_a_while, suggest

if TYPE_CHECKING:
    from optuna import Study

    from relativenas_optuna import RelativeNASSampler


def generation_table(size: int, rounds: int) -> Table:
    """Ask for whole generations each way by turns; the fastest of each way counts."""
    table = Table(title=f"a generation of {size}: seconds until all have their parameters")
    for column in ("database", f"{size} asks", "one bulk call", "ratio"):
        table.add_column(column, justify="left" if column == "database" else "right")
    with tempfile.TemporaryDirectory() as folder:
        places: dict[str, tuple[str | None, bool]] = {
            "SQLite, open_storage": (f"sqlite:///{Path(folder) / 'ours.db'}", False),
            "SQLite, RDBStorage": (f"sqlite:///{Path(folder) / 'stock.db'}", True),
        }
        for name in SERVERS:
            places[f"{name}, open_storage"] = server(name), False
            places[f"{name}, RDBStorage"] = server(name), True
        for place, (url, stock) in places.items():
            if url is None:
                table.add_row(place, "-", "-", f"{SERVERS[place.partition(',')[0]]} is not set")
                continue
            sampler = ours("paper", size)  # which scores all members anew
            with (
                opened(url, stock=stock) as storage,
                study_for_a_while(storage, sampler, "generation") as study,
            ):
                # The first two warm up: settings are written, statements are prepared.
                ways = [
                    (by_asking(study, size), at_once(study, sampler, size))
                    for _ in range(rounds + 1)
                ]
            one, bulk = (min(seconds) for seconds in zip(*ways[1:], strict=True))
            table.add_row(place, f"{one:.3f}", f"{bulk:.3f}", f"{one / bulk:.1f}")
    return table


def by_asking(study: Study, size: int) -> float:
    """Return the seconds for one ask after the other; the results are told afterwards."""
    begin = time.perf_counter()
    asked = []
    for _ in range(size):
        trial = study.ask()
        asked.append((trial, suggest(trial)))
    seconds = time.perf_counter() - begin
    for trial, value in asked:
        study.tell(trial, value)
    return seconds


def at_once(study: Study, sampler: RelativeNASSampler, size: int) -> float:
    """Return the seconds for the bulk call; the results are told afterwards."""
    begin = time.perf_counter()
    trials = sampler.ask_generation(study)
    seconds = time.perf_counter() - begin
    if len(trials) != size:
        raise RuntimeError(f"the bulk call gave {len(trials)} trials, not {size}")
    for trial in trials:
        study.tell(trial, loss(trial.params))
    return seconds
