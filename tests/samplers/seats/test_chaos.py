"""Real workers, killed by SIGKILL at random moments and at every point of a trial.

The long run is that of `nox -s chaos`: `RELATIVENAS_TEST_CHAOS` is its length in seconds.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.helpers.databases import KINDS
from tests.helpers.samplers.killed_workers import Chaos
from tests.helpers.samplers.worker_groups import scenario, worker_group
from tests.helpers.samplers.worker_pool import WorkerPool
from tests.helpers.samplers.worker_process import POINTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = float(os.environ.get("RELATIVENAS_TEST_CHAOS", "60"))


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    opened = WorkerPool()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("kind", "preset"),
    [
        ("sqlite", "plain"),
        pytest.param("postgresql", "plain", marks=pytest.mark.slow),
        pytest.param("sqlite", "migo", marks=pytest.mark.slow),
    ],
)
def test_killed_workers_equal_one_worker(
    kind: str, preset: str, pool: WorkerPool, tmp_path: Path
) -> None:
    with worker_group(kind, pool, tmp_path, scenario(preset), 3) as workers:
        chaos = Chaos(workers, tmp_path / "log", Random(0))
        chaos.run(workers=4, kills=12)
        assert chaos.kills.total() >= 3  # as many as the search took time for


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "journal"])
def test_any_number_of_kills_changes_nothing(
    kind: str, pool: WorkerPool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kills: Counter[str] = Counter()
    found: Counter[str] = Counter()
    random, end, runs = Random(), time.monotonic() + SECONDS / 4, 0
    while time.monotonic() < end or not runs:
        runs += 1
        searched = scenario(
            random.choice(["plain", "paper", "migo", "members"]), known=random.random() < 0.7
        )
        with worker_group(kind, pool, tmp_path, searched, 6) as workers:
            chaos = Chaos(workers, tmp_path / f"log{runs}", random)
            found += chaos.run(workers=random.choice([2, 4, 8]), kills=60)
            kills += chaos.kills
    with capsys.disabled():
        print(f"\n{kind}: {runs} runs, {dict(found)}, killed {dict(kills)}")  # noqa: T201
    # Doubles do no harm, and are rare: where no lock helps, a moment of two workers makes one.
    assert found["doubles"] <= max(4, (found["seats"] + kills.total()) / 50)
    assert set(POINTS) <= kills.keys() or kills.total() < 100
