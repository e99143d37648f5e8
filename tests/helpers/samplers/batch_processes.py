"""Processes that create the trials of a whole generation, for `test_batch_processes`."""

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
    """A process that creates trials on command, and then stays alive.

    Args:
        place: URL of the storage, or path of a journal.
        name: Name of the study.
        call: "ask", "detached" or "enqueue".
        stops: True if the process sends "here" while it creates trials, and stops there.
    """

    def __init__(self, place: str, name: str, call: str, *, stops: bool) -> None:
        self._ear, mouth = context.Pipe()
        self._process = context.Process(
            target=make_trials, args=(mouth, place, name, call), kwargs={"stops": stops}
        )
        self._process.start()
        mouth.close()

    def hear(self) -> Any:
        """Return the next message: "ready", then the numbers of the trials it created."""
        return self._ear.recv()

    def go(self) -> None:
        """Let the process create trials."""
        self._ear.send("go")

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()
        self._ear.close()


@contextmanager
def opened(place: str) -> Iterator[BaseStorage]:
    """Yield a storage by its URL, or a journal by its path."""
    if "://" in place:
        with database(place) as storage:
            yield storage
    else:
        yield JournalStorage(JournalFileBackend(place))


def make_trials(mouth: Connection, place: str, name: str, call: str, *, stops: bool) -> None:
    """Create trials on command; the main function of the process."""
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
    """Stop between the first and the second trial; in a transaction, before the parameters."""
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
