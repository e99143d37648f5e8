"""The finals of a search in a process of its own that dies by SIGKILL at a chosen point."""

from __future__ import annotations

import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import optuna
import torch

from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.finals.run import FinalsHooks
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.search import Search
from tests.helpers import faults
from tests.helpers.forked import context
from tests.helpers.killed_search import begin, die
from tests.helpers.tiny_search import database

FINALS = FinalsSettings(shortlist=4, cells=3, channels=2, passes=8)
POINTS = ("scored:3", "batch:2", "half:1", "rename:2", "changed:3", "batch:9", "changed:2")
"""While the shortlist is made, in mid-training, while a file is written, after a change."""


def hooks(point: str) -> FinalsHooks:
    """Return hooks that kill this process when a point is passed for the n-th time."""
    left = dict.fromkeys(("scored", "batch", "changed"), 0)
    name, _, number = point.partition(":")

    def pass_point(passed: str) -> None:
        left[passed] += 1
        if passed == name and left[passed] == int(number):
            die()

    return FinalsHooks(
        on_scored=lambda: pass_point("scored"),
        on_batch=lambda: pass_point("batch"),
        on_change=lambda _: pass_point("changed"),
    )


def planned(study: optuna.Study, out: Path, data: Path) -> Search:
    """Return a search with the smallest finals."""
    search = begin(study, out, data, generations=1)
    return Search(study, replace(search.plan, finals=FINALS), device="cpu")


def search(url: str, out: str, data: str, *, point: str, slow: float, ready: Connection) -> None:
    """Search and run the finals until the end, or to the point at which to die."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
        started = SearchPlan.stored_in(study)
        found = (
            planned(study, Path(out), Path(data))
            if started is None
            else Search(study, started, device="cpu")
        )
        found.run()
        faults.arm(point if ":" in point else f"{point}:1")
        ready.send("begun")
        own = hooks(point)
        if slow:
            own = replace(own, on_batch=lambda: time.sleep(slow))
        found.run_finals(own)
        found.choose()


def process(
    url: str, out: Path, data: Path, *, point: str, slow: float = 0.0
) -> tuple[Any, Connection]:
    """Start a search; returns its process, and what hears that its finals begin."""
    hears, ready = context.Pipe(duplex=False)
    options = {"point": point, "ready": ready, "slow": slow}
    started = context.Process(target=search, args=(url, str(out), str(data)), kwargs=options)
    started.start()
    ready.close()
    return started, hears


def choice_in(url: str) -> Choice:
    """Return the choice that a database holds."""
    with database(url) as storage:
        choice = Choice.stored_in(optuna.load_study(study_name="s", storage=storage))
    assert choice is not None
    return choice
