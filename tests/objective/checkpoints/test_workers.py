"""Several processes that commit to one weight set at the same moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.checkpoints import actor
from tests.helpers.checkpoints.stores import OPERATIONS, names, pointed, values, weight_set
from tests.helpers.databases import KINDS

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)
COMMITS = 8


@pytest.fixture(params=["file", "artifacts", *KINDS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    with actor.place_in(request.param, tmp_path) as found:
        yield found


@pytest.mark.parametrize("workers", [2, 4])
def test_no_commit_undoes_another(workers: int, place: dict[str, str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    operations = OPERATIONS[:workers]
    processes = [
        actor.run(actor.crowd, place, operation, COMMITS, str(results)) for operation in operations
    ]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    weights = weight_set()
    with actor.checkpoint_at(place) as checkpoint:
        record = checkpoint.sync(weights)
    assert record is not None
    assert record.version == weights.version == workers * COMMITS
    for operation in operations:
        assert values(weights, operation) == {float(COMMITS)}
    stale = [list(map(int, (results / name).read_text().split())) for name in operations]
    # Each begins anew from the newest weights, so that others' commits count for it once at most.
    for own in stale:
        assert all(number >= 0 for number in own)
        assert sum(own) <= (workers - 1) * COMMITS
    files = names(Path(place["folder"]))
    assert len(record.file_names) == 2
    assert files == record.file_names


def test_a_worker_that_only_reads_is_never_told_of_damage(tmp_path: Path) -> None:
    """The files that it is about to read are replaced all the time."""
    with actor.place_in("file", tmp_path) as place:
        process = actor.run(actor.crowd, place, "sep_conv_3x3", 60, str(tmp_path))
        versions = []
        with actor.checkpoint_at(place) as checkpoint:
            while process.is_alive():
                weights = weight_set()  # has nothing yet, so that it reads every time
                checkpoint.sync(weights)
                versions.append(weights.version)
                if weights.version:
                    assert values(weights, "sep_conv_3x3") == {float(weights.version)}
        process.join()
        assert process.exitcode == 0
    assert versions == sorted(versions)
    assert len(pointed(Path(place["folder"]))) == 2
