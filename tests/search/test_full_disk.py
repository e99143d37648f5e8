"""A search on a file system that is full now and then: real processes, real ENOSPC."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from relativenas_optuna._utils.files import write_whole
from tests.helpers import killed_search as mortal
from tests.helpers.small_disks import empty, file_system, fill
from tests.helpers.tiny_search import write_images
from tests.search.test_kill import assert_undisturbed

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)
FILE = 47_000  # bytes of the weights of the smallest search
PATIENCE = 60.0  # seconds


def test_a_file_that_does_not_fit_is_named_and_leaves_the_old_one(tmp_path: Path) -> None:
    with file_system(tmp_path / "disk", megabytes=1) as disk:
        path = disk / "file"
        write_whole(path, b"old")
        with pytest.raises(OSError, match="No space") as error:
            write_whole(path, bytes(2**20))
        assert error.value.filename == str(path)
        assert path.read_bytes() == b"old"
        assert list(disk.iterdir()) == [path]


def full_and_ended(tmp_path: Path, times: int, moments: random.Random, **changes: Any) -> None:
    """Search on a disk that is full so many times at random, and then no more.

    Database and weights are both on it, so that either can be what does not fit.
    """
    with file_system(tmp_path / "disk", megabytes=4) as disk:
        url, data = f"sqlite:///{disk / 's.db'}", write_images(tmp_path / "data")
        full = 0
        while full < times:
            process, hears = mortal.process(url, disk / "out", data, point="never", **changes)
            hears.poll(None)  # until it has begun
            process.join(moments.uniform(0.0, 0.3))
            while process.exitcode is None:
                # Less room at last than the next file needs, wherever it ends.
                fill(disk, room=moments.randrange(FILE))
                process.join(moments.uniform(0.05, 0.4))
            empty(disk)
            if process.exitcode == 0:
                break
            assert process.exitcode == 1
            full += 1
        process, _ = mortal.process(url, disk / "out", data, point="never", **changes)
        process.join(PATIENCE)
        assert process.exitcode == 0
        assert full == times
        assert_undisturbed(disk, url, data, **changes)


def test_a_full_disk_at_a_random_write_changes_no_result(
    tmp_path: Path,
) -> None:
    full_and_ended(tmp_path, 1, random.Random(0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_disk_that_is_full_twenty_times_changes_no_result(seed: int, tmp_path: Path) -> None:
    full_and_ended(tmp_path, 20, random.Random(seed), generations=16)
