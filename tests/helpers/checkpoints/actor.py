"""Workers in processes of their own, forked from a server that has imported everything once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.artifacts import FileSystemArtifactStore

from relativenas_optuna.objective.checkpoints import Checkpoint, pointer_of
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import Genotype
from relativenas_optuna.storages.opening import storage_at
from tests.helpers import faults
from tests.helpers.checkpoints.stores import OPERATIONS, SEARCH, learner, scored, weight_set
from tests.helpers.databases import address
from tests.helpers.forked import context


@contextmanager
def place_in(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield the argument of `checkpoint_at`: a new folder, and a new study if there is a database.

    Args:
        kind: Kind of database; "file" or "artifacts" for no database.
        folder: Folder in which the new folder and the database are created.
    """
    out = folder / "out"
    out.mkdir()
    place = {"folder": str(out), "store": "artifacts" if kind == "artifacts" else "folder"}
    if kind in ("file", "artifacts"):
        yield place
        return
    url = address(kind, folder)
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage)
        yield place | {"url": url, "study": study.study_name}
        optuna.delete_study(study_name=study.study_name, storage=storage)


@contextmanager
def checkpoint_at(place: dict[str, str]) -> Iterator[Checkpoint]:
    """Yield the checkpoint of a study, in a database or in memory beside its files.

    Args:
        place: Its "folder", the "store" in it, and the "url" and "study" of a database.
    """
    store = FileSystemArtifactStore(place["folder"])
    files: Any = store if place["store"] == "artifacts" else place["folder"]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if "url" not in place:
        pointer = pointer_of(optuna.create_study(), place["folder"])
        yield Checkpoint(files, pointer=pointer, search=SEARCH)
        return
    with storage_at(place["url"]) as storage:
        study = optuna.load_study(study_name=place["study"], storage=storage)
        yield Checkpoint(files, pointer=pointer_of(study, place["folder"]), search=SEARCH)


def run(target: Any, *arguments: Any) -> Any:
    """Start a process."""
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def step(checkpoint: Checkpoint, weights: Any, number: int) -> None:
    """Do one step of a search: keep a learner that waits, or in every second step commit a pair."""
    seat, operation = Seat(number // 2, number % 2), OPERATIONS[number % 4]
    one = scored(operation, seat, loss=float(number))
    if checkpoint.score_of(seat, one.architecture) is not None:
        return
    trained = learner(weights, operation, float(number))
    if number % 2 == 0:
        checkpoint.save_waiting(one, trained, weights.version)
        return
    first = checkpoint.load_waiting(seat.partner, weights, Genotype.from_text)
    assert first is not None
    checkpoint.commit(weights, [first[1], trained], scores=[one], drop_waiting=seat.partner)


def search(place: dict[str, str], steps: int, fault: str) -> None:
    """Do the first steps of a search, as far as they are not done yet."""
    torch.set_num_threads(1)
    faults.arm(fault)
    weights = weight_set()
    with checkpoint_at(place) as checkpoint:
        checkpoint.sync(weights)
        for number in range(steps):
            step(checkpoint, weights, number)


def crowd(place: dict[str, str], operation: str, commits: int, results: str) -> None:
    """Commit one's own operation again and again; write down how stale each start was."""
    torch.set_num_threads(1)
    weights = weight_set()
    stale = []
    with checkpoint_at(place) as checkpoint:
        for number in range(commits):
            checkpoint.sync(weights)
            trained = learner(weights, operation, float(number + 1))
            stale.append(checkpoint.commit(weights, [trained]))
    Path(results, operation).write_text(" ".join(map(str, stale)))
