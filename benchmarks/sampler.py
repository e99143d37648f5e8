"""Compare the cost of our sampler with Optuna's: per trial, restart, generation, in parallel.

Usage: python benchmarks/sampler.py [--quick] [--only TABLE] [--sizes 100,1000] [...]

32 categoricals with 8 choices each. The databases of RELATIVENAS_TEST_POSTGRESQL and
RELATIVENAS_TEST_MYSQL (SQLAlchemy URLs) take part where these are set. Every study that is made
there is deleted again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from typing import TYPE_CHECKING

import optuna
from rich.console import Console
from sampler_generation import generation_table
from sampler_restart import restart_table
from sampler_share import share_tables
from sampler_workers import workers_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

TABLES = ("share", "restart", "generation", "workers")
QUICK = {
    "sizes": [20, 40],
    "window": 8,
    "restart": 60,
    "generation": 4,
    "rounds": 1,
    "workers": 2,
    "seconds": 0.5,
    "repetitions": 1,
    "populations": [4],
}


def parsed() -> argparse.Namespace:
    """Return the parsed arguments of the command line."""
    parser = argparse.ArgumentParser(description="Benchmarks of the sampler.")
    add = parser.add_argument
    add("--quick", action="store_true", help="small figures, which say nothing; takes seconds")
    add("--only", choices=TABLES, action="append", help="this table (may be repeated)")
    add("--sizes", type=numbers, default=numbers("100,1000,10000,100000"), help="trials in a study")
    add("--window", type=int, default=200, help="trials measured at each size")
    add("--rivals", type=int, default=10_000, help="largest of these for TPE, NSGA-II and CMA-ES")
    add("--restart", type=int, default=10_000, help="trials before a restart")
    add("--generation", type=int, default=20, help="members of a generation asked for at once")
    add("--rounds", type=int, default=3, help="generations asked for in each way")
    add("--workers", type=int, default=8, help="processes that search one study")
    add("--seconds", type=float, default=8, help="for which the workers search each study")
    add("--repetitions", type=int, default=2, help="runs of each sampler; the best counts")
    add("--populations", type=numbers, default=[20, 64], help="sizes for the workers' study")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**QUICK)
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """`100,1000` as numbers."""
    return [int(part) for part in text.split(",")]


def tables(asked: argparse.Namespace) -> Iterator[Table]:
    """Yield the tables that were asked for, each as soon as it is measured."""
    only = asked.only or TABLES
    if "share" in only:
        yield from share_tables(asked.sizes, asked.window, asked.rivals)
    if "restart" in only:
        yield restart_table(asked.restart)
    if "generation" in only:
        yield generation_table(asked.generation, asked.rounds)
    if "workers" in only:
        yield from workers_tables(
            asked.workers, asked.seconds, asked.repetitions, asked.populations
        )


if __name__ == "__main__":
    # As Ctrl-C does, so that no study and no worker is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # The studies are driven by ask and tell, which write no heartbeats.
    warnings.filterwarnings("ignore", "Heartbeat of storage")
    console = Console()
    for table in tables(parsed()):
        console.print(table)
