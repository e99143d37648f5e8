"""Kill it anywhere: real processes, ended by SIGKILL at every point, and full disks."""

from __future__ import annotations

import errno
import random
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from torch import Tensor

from relativenas_optuna.objective.checkpoints.pointer import POINTER_NAME
from relativenas_optuna.objective.checkpoints.record import Record
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.transactions import database_of
from tests.helpers import faults
from tests.helpers.checkpoints import actor
from tests.helpers.checkpoints.stores import in_folder, learner, names, pointed, weight_set
from tests.helpers.databases import KINDS, address
from tests.helpers.small_disks import empty, file_system, fill
from tests.helpers.tiny_search import same_bits

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)
STEPS = 5  # two pairs and a learner that waits
State = tuple[list[tuple[int, int, float]], dict[str, Tensor]]


@pytest.fixture(params=["file", "artifacts", *KINDS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    with actor.place_in(request.param, tmp_path) as found:
        yield found


def state(place: dict[str, str]) -> tuple[Record | None, State]:
    """Return the state that a new process loads: scores, waiting learners and weights."""
    weights = weight_set()
    with actor.checkpoint_at(place) as checkpoint:
        record = checkpoint.sync(weights)
    told = [] if record is None else [*record.recent, *(w.score for w in record.waiting)]
    return record, (
        sorted((one.seat.generation, one.seat.number, one.loss) for one in told),
        weights.snapshot(),
    )


def same(one: State, other: State) -> bool:
    return one[0] == other[0] and same_bits(one[1], other[1])


def states(folder: Path) -> list[State]:
    """Return the states of an undisturbed search after 0, 1, 2, ... steps."""
    found, place = [], {"folder": str(folder), "store": "folder"}
    weights = weight_set()
    for number in range(STEPS + 1):
        found.append(state(place)[1])
        with actor.checkpoint_at(place) as checkpoint:
            checkpoint.sync(weights)
            actor.step(checkpoint, weights, number)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[State]:
    return states(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.slow_except("file")
def test_a_search_killed_at_every_point_in_turn_is_where_it_was_before_or_after(
    place: dict[str, str], undisturbed: list[State]
) -> None:
    reached, died = 0, 0
    for point in faults.POINTS * 2:
        process = actor.run(actor.search, place, STEPS, f"{point}:{1 + died % 2}")
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        died += process.exitcode != 0
        record, found = state(place)
        candidates = [number for number, one in enumerate(undisturbed) if same(found, one)]
        assert candidates, point
        assert candidates[0] >= reached
        reached = candidates[0]
        if place["store"] == "folder" and record is not None:
            left = names(Path(place["folder"]))
            assert {name for name in left if POINTER_NAME not in name} == record.file_names
    assert died >= len(faults.POINTS)
    process = actor.run(actor.search, place, STEPS, "never:1")
    process.join()
    assert process.exitcode == 0
    record, found = state(place)
    assert same(found, undisturbed[STEPS])
    assert record is not None
    assert record.version == STEPS // 2
    if place["store"] == "folder":
        assert names(Path(place["folder"])) == record.file_names


def fits(action: Callable[[], object]) -> bool:
    """Run an action; return False if the disk is too full for it."""
    try:
        action()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return False
        raise
    return True


@pytest.mark.slow_except("half-1")
@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("point", ["half", "rename"])
def test_a_full_disk_ends_a_search_that_then_goes_on(
    point: str,
    number: int,
    tmp_path: Path,
    undisturbed: list[State],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = {"folder": str(tmp_path), "store": "folder"}
    faults.arm(f"{point}:{number}:full", monkeypatch)
    weights, failed = weight_set(), 0
    with actor.checkpoint_at(place) as checkpoint:
        for step in range(STEPS):
            checkpoint.sync(weights)
            if not fits(partial(actor.step, checkpoint, weights, step)):
                failed += 1
                checkpoint.sync(weights)
                assert same(state(place)[1], undisturbed[step])
                actor.step(checkpoint, weights, step)
            assert same(state(place)[1], undisturbed[step + 1])
    assert failed == 1
    assert names(tmp_path) == pointed(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with file_system(tmp_path / "disk", megabytes=1) as disk:
        yield disk


def test_a_search_goes_on_when_a_full_disk_has_room_again(small_disk: Path) -> None:
    checkpoint, weights = in_folder(small_disk), weight_set()
    checkpoint.commit(weights, [learner(weights, "sep_conv_3x3", 1.0)])
    before = weights.snapshot()
    for room in (0, 5_000, 20_000):
        empty(small_disk)
        fill(small_disk, room=room)
        trained = learner(weights, "sep_conv_5x5", 2.0)
        with pytest.raises(OSError, match="No space"):
            checkpoint.commit(weights, [trained])
        assert same_bits(weights.snapshot(), before)
        other = weight_set()
        in_folder(small_disk).sync(other)
        assert same_bits(other.snapshot(), before)
    empty(small_disk)
    checkpoint.commit(weights, [trained])
    assert weights.version == 2
    assert names(small_disk) == pointed(small_disk)


@pytest.mark.slow
def test_a_search_killed_at_random_moments_is_where_it_was_before_or_after(
    place: dict[str, str], undisturbed: list[State]
) -> None:
    moments = random.Random(0)
    for _ in range(15):
        process = actor.run(actor.search, place, STEPS, "never:1")
        process.join(moments.uniform(0.0, 0.4))
        process.kill()
        process.join()
        _, found = state(place)
        assert any(same(found, one) for one in undisturbed)
    actor.run(actor.search, place, STEPS, "never:1").join()
    assert same(state(place)[1], undisturbed[STEPS])


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_commits_leave_no_more_rows_than_one(kind: str, tmp_path: Path) -> None:
    url = address(kind, tmp_path)
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage)
        place = {"folder": str(tmp_path), "store": "folder", "url": url}
        engine, counts = database_of(study._storage).engine, set()
        weights = weight_set()
        with actor.checkpoint_at(place | {"study": study.study_name}) as checkpoint:
            for number in range(50):
                actor.step(checkpoint, weights, number)
                with engine.connect() as connection:
                    queries = rows(engine, study._study_id)
                    counts.add(tuple(connection.scalar(query) for query in queries))
        assert len(counts) == 1
        assert weights.version == 25
        optuna.delete_study(study_name=study.study_name, storage=storage)


def rows(engine: sqlalchemy.Engine, study_id: int) -> list[sqlalchemy.TextClause]:
    """Return a query for the number of a study's rows in each table of the database.

    Other tests may write to the same database server at the same time.
    """
    inspector, queries = sqlalchemy.inspect(engine), []
    for table in sorted(inspector.get_table_names()):
        columns = {column["name"] for column in inspector.get_columns(table)}
        own = f"study_id = {study_id}"
        if "study_id" not in columns:
            own = f"trial_id IN (SELECT trial_id FROM trials WHERE {own})"
        if columns & {"study_id", "trial_id"}:
            queries.append(sqlalchemy.text(f"SELECT COUNT(*) FROM {table} WHERE {own}"))
    assert len(queries) >= 8
    return queries
