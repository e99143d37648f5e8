"""Showing a SQLite study while eight processes write to it fails on neither side."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from tests.helpers.command import call, end, started, wait_for
from tests.helpers.samplers.worker_groups import scenario, worker_group
from tests.helpers.samplers.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKERS = 8
GENERATIONS = 12


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    opened = WorkerPool()
    yield opened
    opened.close()


@pytest.mark.slow
def test_status_studies_and_dashboard_beside_eight_workers(
    pool: WorkerPool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    searched = scenario("paper")
    with worker_group("sqlite", pool, tmp_path, searched, GENERATIONS) as workers:
        where = ("--storage", workers.address)
        study = ("--study", workers.study.study_name)
        watch = ("status", *where, *study, "--watch", "--every", "0.1", "--json")
        with (
            started("dashboard", *where, *study, "--port", "0", "-q", cwd=tmp_path) as dashboard,
            started(*watch, cwd=tmp_path) as status,
        ):
            page = wait_for(dashboard, "http://").strip()
            pids = [workers.start() for _ in range(WORKERS)]
            looks = 0
            while any(pool.is_running(pid) for pid in pids):
                for path in ("/api/studies", f"/api/studies/{page.rpartition('/')[2]}?after=0"):
                    with urllib.request.urlopen(urljoin(page, path), timeout=90) as answer:
                        assert answer.status == 200
                listed = call(capfd, "studies", *where, "--json")
                assert (listed.status, listed.err) == (0, "")
                looks += 1
            assert looks > 1
            assert [pool.wait(pid) for pid in pids] == [0] * WORKERS
            for process in (dashboard, status):
                os.killpg(process.pid, signal.SIGINT)
            watched, closed = end(status), end(dashboard)
        assert closed.status == watched.status == 130
        for err in (watched.err, closed.err):
            assert "Error" not in err
            assert "locked" not in err
        seen = [json.loads(line)["scored"] for line in watched.out.splitlines()]
        assert seen == sorted(seen)
        assert len(set(seen)) > 2
        assert max(seen) > searched.size
        workers.check(doubles=0)
