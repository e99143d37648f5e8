"""Optuna's own suite for storages, on every database, alone and behind Optuna's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optuna.storages import get_storage
from optuna.testing.pytest_storages import StorageTestCase

from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import empty_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage

    from relativenas_optuna.storages.search_storage import SearchStorage

# Optuna's tables hold whole seconds on MySQL, which these do not expect.
WITH_MICROSECONDS = {
    "test_create_new_trial",
    "test_create_new_trial_with_template_trial",
    "test_get_all_trials",
    "test_get_trial",
}


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchStorage]:
    with storage_at(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'study.db'}") as storage:
        yield storage


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchStorage]:
    folder = tmp_path_factory.mktemp("postgresql")
    with empty_database("postgresql", folder) as url, storage_at(url) as storage:
        yield storage


@pytest.fixture(scope="module")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchStorage]:
    folder = tmp_path_factory.mktemp("mysql")
    with empty_database("mysql", folder) as url, storage_at(url) as storage:
        yield storage


def emptied(storage: SearchStorage, *, cached: bool = True) -> Iterator[BaseStorage]:
    """Yield a storage, by default as studies use it, and empty it after the test."""
    yield get_storage(storage) if cached else storage
    for study in storage.get_all_studies():
        storage.delete_study(study._study_id)


class TestBehindTheCache(StorageTestCase):
    @pytest.fixture
    def storage(self, sqlite: SearchStorage) -> Iterator[BaseStorage]:
        yield from emptied(sqlite)


class TestAlone(StorageTestCase):
    @pytest.fixture
    def storage(self, sqlite: SearchStorage) -> Iterator[BaseStorage]:
        yield from emptied(sqlite, cached=False)


class TestPostgreSQL(StorageTestCase):
    @pytest.fixture
    def storage(self, postgresql: SearchStorage) -> Iterator[BaseStorage]:
        yield from emptied(postgresql)


class TestMySQL(StorageTestCase):
    @pytest.fixture
    def storage(self, mysql: SearchStorage) -> Iterator[BaseStorage]:
        yield from emptied(mysql)


# On the servers only what is done to trials, where the storage differs from Optuna's.
for test in dir(StorageTestCase):
    if test.startswith("test_") and "trial" not in test:
        setattr(TestPostgreSQL, test, None)
    if test.startswith("test_") and ("trial" not in test or test in WITH_MICROSECONDS):
        setattr(TestMySQL, test, None)
