"""Processes that make a whole generation of trials at once, for `test_batch_processes`."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.helpers.forked import context
from tests.helpers.samplers.searches import SPACE, new_sampler
from tests.samplers.conftest import database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from optuna.storages import BaseStorage

SIZE = 6


class Process:
    """A process that makes trials when it is told to, and then stays.

    Args:
        place: The study's storage: a URL, or the path of a journal.
        name: The study's.
        call: "ask", "detached" or "enqueue".
        stops: Whether it says "here" in the middle of making trials, and stops there for ever.
    """

    def __init__(self, place: str, name: str, call: str, *, stops: bool) -> None:
        self._ear, mouth = context.Pipe()
        self._process = context.Process(
            target=make_trials, args=(mouth, place, name, call), kwargs={"stops": stops}
        )
        self._process.start()
        mouth.close()

    def hear(self) -> Any:
        """What it says next: "ready", then the numbers of the trials that it made."""
        return self._ear.recv()

    def go(self) -> None:
        """Let it make trials."""
        self._ear.send("go")

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()
        self._ear.close()


@contextmanager
def opened(place: str) -> Iterator[BaseStorage]:
    """A storage by its URL, or a journal by its path."""
    if "://" in place:
        with database(place) as storage:
            yield storage
    else:
        yield JournalStorage(JournalFileBackend(place))


def make_trials(mouth: Connection, place: str, name: str, call: str, *, stops: bool) -> None:
    """What the process does."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with opened(place) as storage:
        sampler = new_sampler(SPACE, SIZE, "plain")
        study = optuna.load_study(storage=storage, study_name=name, sampler=sampler)
        if stops:
            stop_in_the_middle(study._storage, mouth)
        mouth.send("ready")
        mouth.recv()
        if call == "enqueue":
            mouth.send(sampler.enqueue_generation(study))
        else:
            made = sampler.ask_generation(study, detached=call == "detached")
            mouth.send([trial.number for trial in made])
        time.sleep(600)


def stop_in_the_middle(storage: BaseStorage, mouth: Connection) -> None:
    """Between the first trial and the second; in a transaction, before its parameters."""
    made: list[int] = []

    def stop() -> None:
        mouth.send("here")
        time.sleep(600)

    def at_parameters(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("INSERT INTO trial_params"):
            stop()

    def create_one(create: Any, *arguments: Any) -> int:
        if made:
            stop()
        made.append(create(*arguments))
        return made[0]

    event.listen(Engine, "before_cursor_execute", at_parameters)
    create = partial(create_one, storage.create_new_trial)
    storage.create_new_trial = create  # type: ignore[method-assign]
