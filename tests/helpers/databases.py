"""Databases and studies for tests: in a file, and on the servers that the environment names."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
import sqlalchemy
from sqlalchemy.engine import make_url

from relativenas_optuna.storages.opening import storage_at
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage

KINDS = ["sqlite", *DATABASES]
NAMES = [f"x{number}" for number in (7, 3, 11, 0, 5, 9, 2, 8, 1, 4, 10, 6)]


def address(kind: str, folder: Path) -> str:
    """Return the URL of a database of a kind; skip the test if no server is named."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'study.db'}"
    url = os.environ.get(DATABASES[kind])
    if not url:
        pytest.skip(f"{DATABASES[kind]} names no database")
    return url


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a database without tables; on a server it is dropped at the end."""
    url = address(kind, folder)
    if kind == "sqlite":
        yield url
        return
    name = f"relativenas_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            force = " WITH (FORCE)" if kind == "postgresql" else ""  # connections that linger
            connection.exec_driver_sql(f"DROP DATABASE {name}{force}")
        engine.dispose()


def suggest(trial: optuna.Trial) -> float:
    return sum(trial.suggest_float(name, 0, 1) for name in NAMES)


@contextmanager
def experienced_study(storage: SearchStorage) -> Iterator[optuna.Study]:
    """Yield a study in which every parameter was suggested; it is deleted at the end."""
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=storage, study_name=str(uuid.uuid4()), sampler=sampler)
    study.optimize(suggest, n_trials=1)
    yield study
    optuna.delete_study(study_name=study.study_name, storage=storage)


def watched(url: str, study: optuna.Study, number: int) -> list[str]:
    """Return the names of a trial's parameters as another process sees them."""
    with storage_at(url) as other:
        trials = optuna.load_study(study_name=study.study_name, storage=other).trials
    return list(trials[number].params)


def wait_for(url: str, study: optuna.Study, number: int, names: list[str]) -> None:
    """Wait until the parameters are seen."""
    end = time.monotonic() + 60  # which only a fault takes; a busy machine takes seconds
    while watched(url, study, number) != names:
        assert time.monotonic() < end
