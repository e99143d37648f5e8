"""Main functions of worker processes, for `test_workers` and `test_chaos`."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from random import Random
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import _optimize

from relativenas_optuna.samplers.seats import worker
from relativenas_optuna.samplers.seats.claims import Claim
from relativenas_optuna.samplers.seats.replay import Replay
from relativenas_optuna.samplers.seats.sampler import PopulationSampler
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.samplers.scenarios import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.population import Population

AGAIN = "again"  # user attribute of trials whose seat was given out again, since none was free
POINTS = ("created", "claiming", "claimed", "objective", "telling", "told")
"""Points at which a worker can die: with a trial without a seat; before and after the claim is
written; in the objective; before and after the value is written."""


@contextmanager
def connected(address: str, **options: Any) -> Iterator[BaseStorage]:
    """Open a storage: a database's URL, `journal:` and a path, or `grpc:` and a port.

    `options` are those of `open_storage`.
    """
    kind, _, rest = address.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if kind == "journal":
            yield JournalStorage(JournalFileBackend(rest))
        elif kind == "grpc":
            proxy = optuna.storages.GrpcStorageProxy(port=int(rest))
            proxy.wait_server_ready(60)
            yield proxy
            proxy.close()
        else:
            with storage_at(address, **options) as opened:
                yield opened


def serve(url: str, port: int) -> None:
    """Serve a database as a gRPC proxy."""
    with storage_at(url) as opened:
        storage = optuna.storages.get_storage(opened)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.run_grpc_proxy_server(storage, port=port)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], calls: list[int], *, after: bool) -> Callable[..., Any]:
    """Return a function that kills the process at call number `calls[0]` from now."""

    @wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        calls[0] -= 1
        if calls[0] == 0 and not after:
            die()
        result = function(*arguments, **options)
        if calls[0] == 0:
            die()
        return result

    return wrapper


def arm(point: str, trials: int) -> None:
    """Let the process die at a point of its trial number `trials`, counted from 1."""
    left = [trials]
    after = point in ("claimed", "told")
    if point == "created":
        method = PopulationSampler.before_trial
        PopulationSampler.before_trial = dying(method, left, after=False)  # type: ignore[method-assign]
    elif point in ("claiming", "claimed"):
        Claim.write = dying(Claim.write, left, after=after)  # type: ignore[method-assign]
    elif point in ("telling", "told"):
        tell = vars(_optimize)["_tell_with_warning"]
        vars(_optimize)["_tell_with_warning"] = dying(tell, left, after=after)


def note_seats_given_again() -> set[int]:
    """Return a set that collects the numbers of trials for which no seat is free."""
    again: set[int] = set()
    seat_for = Replay.seat_for

    def noted(self: Replay, number: int, population: Population) -> Seat | None:
        free = self.population is None or self.free_seats(but_of=number)
        again.discard(number) if free else again.add(number)
        return seat_for(self, number, population)

    Replay.seat_for = noted  # type: ignore[method-assign]
    return again


def search(
    address: str,
    name: str,
    scenario: dict[str, Any],
    *,
    generations: int,
    threads: int = 1,
    trials: int | None = None,
    nap: float = 0.02,
    point: str | None = None,
    at: int = 1,
    log: str | None = None,
    elsewhere: bool = False,
    **options: Any,
) -> None:
    """Run trials until the generations are scored.

    Args:
        address: See `connected`.
        name: Name of the study.
        scenario: Fields of a `Scenario`.
        generations: Number of generations to score.
        threads: Number of threads that search at once.
        trials: Maximum number of trials; None for no limit.
        nap: Longest sleep of the objective in seconds.
        point: The one of `POINTS` at which the process dies; None if it lives.
        at: Number of the trial in which it dies, from 1.
        log: File that gets a line for each reported trial.
        elsewhere: True if this process pretends to be on another machine.
        options: Options of `open_storage`.
    """
    if elsewhere:
        worker._machine = lambda: "elsewhere"  # type: ignore[assignment]
    again, seats = note_seats_given_again(), generations * scenario["size"]
    searched, random, lock = Scenario(**scenario), Random(), threading.Lock()
    sampler = searched.sampler()
    left = [at if point == "objective" else 0]

    def objective(trial: optuna.Trial) -> list[float]:
        if trial.number in again:
            trial.set_user_attr(AGAIN, True)
        values = searched.objective(trial)
        left[0] -= 1
        if left[0] == 0:
            time.sleep(nap)
            die()
        time.sleep(random.random() * nap)
        return values

    def told(study: optuna.Study, trial: FrozenTrial) -> None:
        if log is not None:
            with lock, open(log, "a") as file:  # noqa: PTH123 - one short write
                file.write(f"{trial.number} {trial.values!r}\n")
        found = sampler.population(study)
        if found is not None and found.scored_seats(generations) >= seats:
            study.stop()

    with connected(address, **options) as storage:
        study = optuna.load_study(storage=storage, study_name=name, sampler=sampler)
        if point is not None:
            arm(point, at)
        study.optimize(objective, n_trials=trials, n_jobs=threads, callbacks=[told])


KINDS: dict[str, Callable[..., None]] = {"search": search, "serve": serve}


def run(kind: str, job: dict[str, Any]) -> None:
    """Call a function of `KINDS` in a process that logs nothing."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    KINDS[kind](**job)
