"""A study in memory and one in a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from tests.helpers.tiny_search import database


@pytest.fixture(params=["memory", "sqlite"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[optuna.Study]:
    if request.param == "memory":
        yield optuna.create_study(study_name="s")
        return
    with database(f"sqlite:///{tmp_path / 's.db'}") as storage:
        yield optuna.create_study(study_name="s", storage=storage)
