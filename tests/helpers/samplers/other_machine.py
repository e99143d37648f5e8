"""Processes that search on "another machine", and a storage server, for `test_lease`."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import (
    GrpcStorageProxy,
    InMemoryStorage,
    JournalStorage,
    run_grpc_proxy_server,
)
from optuna.storages.journal import JournalFileBackend

from relativenas_optuna.samplers.seats import lease, worker
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.forked import context
from tests.helpers.samplers.searches import SPACE, new_sampler, suggest
from tests.samplers.conftest import database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from optuna.storages import BaseStorage

RENEWAL, LEASE = 0.2, 4.0  # seconds; no shorter, for machines with much else to do


@contextmanager
def opened(place: str) -> Iterator[BaseStorage]:
    """Open a storage without heartbeats: a URL, "localhost:PORT" of a server, or a journal."""
    if "://" in place:
        with database(place) as storage:
            yield storage
    elif place.startswith("localhost:"):
        proxy = GrpcStorageProxy(host="localhost", port=int(place.partition(":")[2]))
        try:
            proxy.wait_server_ready(timeout=60)
            yield proxy
        finally:
            proxy.close()
    else:
        yield JournalStorage(JournalFileBackend(place))


def serve(port: int) -> None:
    """Serve a storage by gRPC for ever."""
    warnings.simplefilter("ignore", ExperimentalWarning)
    run_grpc_proxy_server(InMemoryStorage(), host="localhost", port=port)


def work(mouth: Connection, place: str, name: str, machine: str | None) -> None:
    """Ask for a trial, say its number and its seat, and be slow."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.simplefilter("ignore", ExperimentalWarning)
    lease.RENEWAL = RENEWAL
    if machine is not None:
        worker._machine = lambda: machine  # type: ignore[assignment]
    with opened(place) as storage:
        study = optuna.load_study(storage=storage, study_name=name, sampler=new_sampler(SPACE))
        trial = study.ask()
        suggest(trial, SPACE)
        seat = seat_of(trial)
        assert seat is not None
        mouth.send((trial.number, seat))
        time.sleep(600)


class Worker:
    """A process that is at a trial; see `work`."""

    def __init__(self, place: str, name: str, machine: str | None) -> None:
        self._ear, mouth = context.Pipe()
        self._process = context.Process(target=work, args=(mouth, place, name, machine))
        self._process.start()
        mouth.close()
        self.number, self.seat = self._heard()

    def _heard(self) -> Any:
        return self._ear.recv()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()
        self._ear.close()
