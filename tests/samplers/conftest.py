"""Fixtures of the sampler tests: quiet logs and the storages."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import settings
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna.storages import BaseStorage

# The same examples in every run, and no limit of time on a shared machine.
settings.register_profile(
    "samplers", deadline=None, derandomize=True, database=None, max_examples=40
)
settings.load_profile("samplers")

DATABASES = {
    "postgresql": "RELATIVENAS_TEST_POSTGRESQL",
    "mysql": "RELATIVENAS_TEST_MYSQL",
}


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


@contextmanager
def database(url: str) -> Iterator[RDBStorage]:
    """Open a storage and close all of its connections."""
    storage = RDBStorage(url)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.fixture(params=["memory", "sqlite", "journal", *DATABASES])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    """Open each kind of storage; a database server only if its variable is set."""
    if request.param == "memory":
        yield InMemoryStorage()
    elif request.param == "journal":
        yield JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    elif request.param == "sqlite":
        with database(f"sqlite:///{tmp_path / 'study.db'}") as opened:
            yield opened
    else:
        variable = DATABASES[request.param]
        if not os.environ.get(variable):
            pytest.skip(f"{variable} names no database")
        with database(os.environ[variable]) as opened:
            yield opened
