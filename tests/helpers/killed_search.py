"""A search in a process of its own that dies by SIGKILL at a chosen point, for `test_kill`.

The processes are forked from a server that has imported everything once, so that many can die.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import optuna
import torch

from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from tests.helpers import faults
from tests.helpers.forked import context
from tests.helpers.tiny_search import SEED, SETTINGS, database

POINTS = ("training", *faults.POINTS, "told")
"""In mid-training; in a checkpoint's file, pointer and clean-up; after the study was told."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], calls: int, *, after: bool) -> Callable[..., Any]:
    """Return a function that kills the process at its last call."""
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


def arm(point: str) -> None:
    """Let the process die, or its disk be full, at a point of its first candidates."""
    if point == "training":
        batches = -(-30 // SETTINGS.batch_size)
        torch.optim.SGD.step = dying(torch.optim.SGD.step, batches + 2, after=True)  # type: ignore[method-assign]
    elif point.partition(":")[0] in faults.POINTS:
        faults.arm(point if ":" in point else f"{point}:1")


def search(url: str, out: str, data: str, *, point: str, ready: Connection, **changes: Any) -> None:
    """Search until the end, or to the point at which to die."""
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False  # a GPU then rounds as a CPU does
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
        found = begin(study, out, data, **changes)
        arm(point)
        ready.send("begun")
        found.run([lambda *_: die() if point == "told" else None])


def begin(
    study: optuna.Study,
    out: str | Path,
    data: str | Path,
    *,
    sampler: str = "relativenas",
    finals: int = 0,
    device: str = "cpu",
    **changes: Any,
) -> Search:
    settings = asdict(SETTINGS) | changes
    request = SearchRequest(
        data=str(data),
        out=str(out),
        seed=SEED,
        preset="small",
        sampler=sampler,
        settings=settings,
        finals=finals,
    )
    return Search(study, SearchPlan.of(study, request), device=device)


def process(
    url: str, out: Path, data: Path, *, point: str, **changes: Any
) -> tuple[Any, Connection]:
    """Start a search; returns its process and what hears of its begin."""
    hears, ready = context.Pipe(duplex=False)
    options = {"point": point, "ready": ready} | changes
    started = context.Process(target=search, args=(url, str(out), str(data)), kwargs=options)
    started.start()
    ready.close()
    return started, hears
