"""Commands that show a study work without write access, and leave no files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.sqlite_files import is_immutable
from relativenas_optuna.storages.urls import may_be_written
from tests.helpers.command import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

# Root writes everything, unless it gives up the right to.
_POSIX = os.name == "posix" and (os.geteuid() != 0 or shutil.which("setpriv") is not None)
_AS_READER = ("setpriv", "--bounding-set=-dac_override") if _POSIX and os.geteuid() == 0 else ()
_LOOK = """
import sys
from relativenas_optuna.cli.main import main
for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as end:
        print("status", end.code)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a study that no process writes any more."""
    path = Path(tempfile.mkdtemp())
    try:
        with storage_at(f"sqlite:///{path / 'relativenas.db'}") as storage:
            study = optuna.create_study(storage=storage, study_name="mine")
            study.add_trial(optuna.create_trial(value=0.25, user_attrs={"genotype": "no genotype"}))
        yield path
    finally:
        path.chmod(0o755)
        shutil.rmtree(path)


def looked(folder: Path, *commands: str) -> str:
    """Return the output of commands that run as a user who may not write here."""
    run = subprocess.run(
        [*_AS_READER, sys.executable, "-c", _LOOK, *commands],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in run.stderr
    return run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.skipif(not _POSIX, reason="permissions of POSIX")
def test_commands_look_at_a_study_that_cannot_be_written(folder: Path) -> None:
    (folder / "relativenas.db").chmod(0o444)
    folder.chmod(0o555)
    said = looked(
        folder,
        "status --study mine",
        "studies",
        "ask --study mine",
    )
    assert "value 0.25" in said
    assert "status 1" in said  # of the last one
    assert "copy 'relativenas.db' to a folder that you may write" in said
    assert [path.name for path in folder.iterdir()] == ["relativenas.db"]


@pytest.mark.slow
@pytest.mark.skipif(not _POSIX, reason="permissions of POSIX")
def test_a_reader_leaves_no_files_that_keep_the_owner_out(folder: Path) -> None:
    (folder / "relativenas.db").chmod(0o444)
    assert "value 0.25" in looked(folder, "status --study mine")
    assert [path.name for path in folder.iterdir()] == ["relativenas.db"]


@pytest.mark.skipif(not _POSIX, reason="permissions of POSIX")
def test_a_reader_sees_what_a_writer_has_not_moved_to_the_file_yet(folder: Path) -> None:
    with storage_at(f"sqlite:///{folder / 'relativenas.db'}") as storage:
        optuna.create_study(storage=storage, study_name="newer")
        folder.chmod(0o555)
        assert (folder / "relativenas.db-wal").exists()
        assert "newer" in looked(folder, "studies")


def test_a_file_is_immutable_only_where_it_has_a_log_and_nobody_writes(folder: Path) -> None:
    path = folder / "relativenas.db"
    assert not is_immutable(path)  # this process may write it
    assert may_be_written(f"sqlite:///{path}")
    assert may_be_written("sqlite:///not-there.db")
    assert may_be_written("no URL")
    assert may_be_written("postgresql://host/name")
    other = folder / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE x (y)")
    connection.close()
    assert not is_immutable(other)
