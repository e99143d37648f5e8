from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from relativenas_optuna.objective.checkpoints import FilePointer, Pointer, StudyPointer, pointer_of
from relativenas_optuna.objective.checkpoints.pointer import POINTER_NAME, WEIGHTS_KEY
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.transactions import database_of
from tests.helpers.databases import KINDS, address
from tests.helpers.forked import context
from tests.helpers.tiny_search import database

Opened = Callable[[], Pointer]


@contextmanager
def study_in(kind: str, folder: Path) -> Iterator[optuna.Study]:
    url = address(kind, folder)
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage, study_name=uuid.uuid4().hex)
        yield study
        if study.study_name in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=study.study_name, storage=storage)


@pytest.fixture(params=[*KINDS, "file"])
def pointer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pointer]:
    if request.param == "file":
        yield FilePointer(tmp_path / "new" / POINTER_NAME)
    else:
        with study_in(request.param, tmp_path) as study:
            yield StudyPointer(study, WEIGHTS_KEY)


def text(number: int, size: int = 0) -> str:
    return json.dumps({"number": number, "filler": "x" * size})


def test_only_who_knows_the_text_before_replaces_it(pointer: Pointer) -> None:
    assert pointer.read() is None
    assert not pointer.advance(text(0), text(1))
    assert pointer.read() is None
    assert pointer.advance(None, text(1))
    assert not pointer.advance(None, text(2))
    assert not pointer.advance(text(0), text(2))
    assert pointer.read() == text(1)
    assert pointer.advance(text(1), text(2, 29_000))
    assert pointer.read() == text(2, 29_000)
    assert pointer.advance(text(2, 29_000), text(3))
    assert pointer.read() == text(3)


def test_texts_that_differ_by_case_or_space_differ(pointer: Pointer) -> None:
    assert pointer.advance(None, '"a"')
    for other in ('"A"', '"a" ', '"\\u00e4"'):
        assert not pointer.advance(other, '"b"')


def test_an_answer_that_was_lost_is_given_again(pointer: Pointer) -> None:
    assert pointer.advance(None, text(1))
    assert pointer.advance(None, text(1))
    assert pointer.advance(text(1), text(2))
    assert pointer.advance(text(1), text(2))
    assert not pointer.advance(text(1), text(3))


def reopened(kind: str, address: str, name: str) -> tuple[Pointer, Callable[[], None]]:
    if kind == "file":
        return FilePointer(address), lambda: None
    storage = RDBStorage(address)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return StudyPointer(
        optuna.load_study(study_name=name, storage=storage), WEIGHTS_KEY
    ), storage.engine.dispose


def count(kind: str, address: str, name: str, steps: int) -> None:
    """Count up by reading and advancing, as often as it takes."""
    pointer, close = reopened(kind, address, name)
    done = 0
    while done < steps:
        before = pointer.read()
        counted = 0 if before is None else json.loads(before)["count"]
        after = {"count": counted + 1, "by": uuid.uuid4().hex}
        done += pointer.advance(before, json.dumps(after))
    close()


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked from a server")
@pytest.mark.parametrize("kind", [*KINDS, "file"])
def test_processes_that_count_up_at_once_lose_no_step(kind: str, tmp_path: Path) -> None:
    if kind == "file":
        place, name, opened = str(tmp_path / POINTER_NAME), "", None
        counted: Pointer = FilePointer(place)
    else:
        place, opened = address(kind, tmp_path), study_in(kind, tmp_path)
        study = opened.__enter__()
        name, counted = study.study_name, StudyPointer(study, WEIGHTS_KEY)
    processes = [context.Process(target=count, args=(kind, place, name, 25)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert json.loads(counted.read() or "{}")["count"] == 75
    if opened is not None:
        opened.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_of_the_study_is_all_there_is(kind: str, tmp_path: Path) -> None:
    with study_in(kind, tmp_path) as study:
        study.set_user_attr("mine", 1)
        pointer, before = StudyPointer(study, WEIGHTS_KEY), None
        for number in range(5):
            assert pointer.advance(before, text(number))
            before = text(number)
            assert study.user_attrs == {"mine": 1, WEIGHTS_KEY: json.loads(text(number))}
        engine = database_of(study._storage).engine
        rows = sqlalchemy.text("SELECT COUNT(*) FROM study_user_attributes WHERE study_id = :id")
        with engine.connect() as connection:
            assert connection.scalar(rows, {"id": study._study_id}) == 2
        optuna.delete_study(study_name=study.study_name, storage=study._storage)
        assert pointer.read() is None
        assert not pointer.advance(before, text(7))
        with pytest.raises(KeyError, match="the study was deleted"):
            pointer.advance(None, text(7))


def test_studies_of_a_database_have_their_own(tmp_path: Path) -> None:
    with storage_at(address("sqlite", tmp_path)) as storage:
        one, other = (
            StudyPointer(optuna.create_study(storage=storage), WEIGHTS_KEY) for _ in range(2)
        )
        assert one.advance(None, text(1))
        assert other.read() is None
        assert other.advance(None, text(2))
        assert one.read() == text(1)


def test_what_is_no_json_does_not_make_a_study_unreadable(tmp_path: Path) -> None:
    with storage_at(address("sqlite", tmp_path)) as storage:
        study = optuna.create_study(storage=storage)
        with pytest.raises(ValueError, match="Expecting"):
            StudyPointer(study, WEIGHTS_KEY).advance(None, "{")
        assert study.user_attrs == {}


def test_a_study_of_optunas_own_storage_has_a_row(tmp_path: Path) -> None:
    with database(f"sqlite:///{tmp_path / 's.db'}") as storage:
        study = optuna.create_study(storage=storage)  # a cached storage around it
        assert isinstance(pointer_of(study, tmp_path), StudyPointer)


@pytest.mark.parametrize("kind", ["memory", "journal"])
def test_a_study_in_no_database_has_a_file(kind: str, tmp_path: Path) -> None:
    storage = (
        InMemoryStorage()
        if kind == "memory"
        else JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    )
    pointer = pointer_of(optuna.create_study(storage=storage), tmp_path)
    assert pointer.advance(None, text(1))
    assert (tmp_path / POINTER_NAME).read_text() == text(1)
    assert POINTER_NAME in pointer.place


def test_sqlite_waits_for_the_disk_only_where_it_must(tmp_path: Path) -> None:
    with study_in("sqlite", tmp_path) as study:
        engine = database_of(study._storage).engine
        statements: list[str] = []

        @sqlalchemy.event.listens_for(engine, "before_cursor_execute")
        def listen(_: object, __: object, statement: str, *___: object) -> None:
            statements.append(statement)

        StudyPointer(study, WEIGHTS_KEY).advance(None, text(1))
        pragmas = [s for s in statements if "synchronous" in s or "BEGIN" in s]
        full = "PRAGMA synchronous=FULL"
        assert pragmas == ["PRAGMA synchronous", full, "BEGIN IMMEDIATE", "PRAGMA synchronous=1"]


def test_what_a_killed_process_left_of_a_pointer_file_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".{POINTER_NAME}.12345.tmp"
    left.write_text("{")
    FilePointer(tmp_path / POINTER_NAME).advance(None, text(1))
    assert not left.exists()
