"""A search in a process of its own that dies by SIGKILL at a chosen point, for `test_checkpoint`.

The processes are forked from a server that has imported everything once, so that many can die.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import optuna
import torch

from relativenas_optuna.checkpoint import Checkpoint
from relativenas_optuna.plan import SearchPlan, Wishes
from relativenas_optuna.search import Search
from tests.tiny import SEED, SETTINGS, database

POINTS = ("training", "writing", "saved", "told")
"""In mid-training; with a checkpoint written under its temporary name; between checkpoint and
study; after both."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], calls: int, *, after: bool) -> Callable[..., Any]:
    """The function, at whose last call the process dies."""
    left = calls

    def wrapper(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            die()
        result = function(*arguments, **options)
        if left == 0:
            die()
        return result

    return wrapper


def arm(point: str, *, resumed: bool) -> None:
    """Let the process die at a point of the candidate after the one that it does over again."""
    if point == "training":
        batches = -(-30 // SETTINGS.batch_size)
        torch.optim.SGD.step = dying(torch.optim.SGD.step, batches + 2, after=True)  # type: ignore[method-assign]
    elif point == "writing":
        os.fsync = dying(os.fsync, 3, after=False)  # two a file: one is its folder's
    elif point == "saved":
        Checkpoint.save = dying(Checkpoint.save, 2 if resumed else 1, after=True)  # type: ignore[method-assign]


def search(url: str, out: str, data: str, *, point: str, resumed: bool, ready: Connection) -> None:
    """Search until the end, or to the point at which to die."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
        found = begin(study, out, data)
        arm(point, resumed=resumed)
        ready.send("begun")
        found.run(lambda _: die() if point == "told" else None)


def begin(study: optuna.Study, out: str | Path, data: str | Path, **changes: Any) -> Search:
    settings = asdict(SETTINGS) | changes
    wishes = Wishes(data=str(data), out=str(out), seed=SEED, preset="small", settings=settings)
    return Search(study, SearchPlan.of(study, wishes), device="cpu")


def process(
    url: str, out: Path, data: Path, *, point: str, resumed: bool
) -> tuple[Any, Connection]:
    """Start a search; returns its process and what hears of its begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    hears, ready = context.Pipe(duplex=False)
    options = {"point": point, "resumed": resumed, "ready": ready}
    started = context.Process(target=search, args=(url, str(out), str(data)), kwargs=options)
    started.start()
    ready.close()
    return started, hears
