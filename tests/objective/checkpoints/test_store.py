from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.artifacts import Backoff, FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from relativenas_optuna.objective.checkpoints import (
    ArtifactFiles,
    DamagedFileError,
    FolderStore,
    Store,
)
from relativenas_optuna.objective.checkpoints.store import new_name

CONTENT = bytes(range(200))


class Slow:
    """A store in memory that gives a few bytes at a time, as connections may."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.removals = 0

    def open_reader(self, artifact_id: str) -> BinaryIO:
        if artifact_id not in self.files:
            raise ArtifactNotFound("not found")
        reader = io.BytesIO(self.files[artifact_id])
        whole = reader.read
        reader.read = lambda size=-1: whole(min(size or 7, 7))  # type: ignore[method-assign]
        return reader

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self.files[artifact_id] = content_body.read()

    def remove(self, artifact_id: str) -> None:
        self.removals += 1
        if self.files.pop(artifact_id, None) is None:
            raise ArtifactNotFound("not found")


@pytest.fixture(params=["folder", "artifacts", "backoff", "slow"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "new" / "folder")
    if request.param == "slow":
        return ArtifactFiles(Slow())
    files = FileSystemArtifactStore(tmp_path)
    return ArtifactFiles(files if request.param == "artifacts" else Backoff(files))


def test_what_was_put_is_got_until_it_is_removed(store: Store) -> None:
    name = new_name("s", "000001")
    stored = store.put(name, CONTENT)
    assert stored.name == name
    assert store.get(stored) == CONTENT
    store.remove(name)
    store.remove(name)
    with pytest.raises(DamagedFileError, match="is missing"):
        store.get(stored)


def test_what_is_removed_is_removed_once() -> None:
    """Optuna's `Backoff` goes on for a minute and a half."""
    slow = Slow()
    store = ArtifactFiles(Backoff(slow))
    store.put("w", CONTENT)
    store.remove("w")
    assert slow.removals == 1


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", ".hidden", "a/b"])
def test_a_path_is_no_name(name: str, store: Store) -> None:
    with pytest.raises(ValueError, match="a file's name must be"):
        store.put(name, CONTENT)
    with pytest.raises(ValueError, match="a file's name must be"):
        store.remove(name)


@pytest.mark.parametrize("kind", ["folder", "artifacts"])
@given(data=st.data())
def test_any_change_of_a_file_is_seen(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = (
        FolderStore(folder) if kind == "folder" else ArtifactFiles(FileSystemArtifactStore(folder))
    )
    stored = store.put("w", CONTENT)
    content = (folder / "w").read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    changed = content[:start] + data.draw(st.binary(max_size=5)) + content[end:]
    (folder / "w").write_bytes(changed)
    if changed == content:
        store.get(stored)
        return
    with pytest.raises(DamagedFileError, match="'w'") as caught:
        store.get(stored)
    assert "\n" not in str(caught.value)


def test_names_never_repeat_and_end_as_safetensors() -> None:
    names = {new_name("s", "000001") for _ in range(100)}
    assert len(names) == 100
    assert all(name.endswith(".safetensors") for name in names)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        FolderStore(tmp_path / "file")
    if os.getuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError):
            FolderStore(tmp_path)


# --- what killed writers left


def leave(folder: Path, *, age: float = 0.0, temporary: bool = False, search: str = "s") -> Path:
    name = new_name(search, "000001")
    path = folder / (f".{name}.123.tmp" if temporary else name)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


@pytest.mark.parametrize("temporary", [False, True])
def test_under_the_lock_what_this_machine_left_is_removed(temporary: bool, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    left = leave(tmp_path, temporary=temporary)
    store.clean([], search="s", has_lock=False)
    assert left.exists()  # it may be about to be pointed to
    store.clean([left.name], search="s", has_lock=True)
    assert left.exists()
    store.clean([], search="s", has_lock=True)
    assert not left.exists()


def test_what_another_machine_left_is_removed_after_some_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(
            "relativenas_optuna.objective.checkpoints.store._this_machine", lambda: "0" * 8
        )
        young, old = leave(tmp_path), leave(tmp_path, age=1000)
        needed = leave(tmp_path, age=1000)
    store.clean([needed.name], search="s", has_lock=True)
    assert young.exists()
    assert not old.exists()
    assert needed.exists()


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_files_are_aged_by_the_clock_of_their_folder(
    ahead: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = FolderStore(tmp_path), time.time
    young, old = leave(tmp_path), leave(tmp_path, age=1000)
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    store.clean([], search="s", has_lock=False)
    assert list(tmp_path.iterdir()) == [young]
    assert not old.exists()


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    others = [leave(tmp_path, age=1000, search="other"), tmp_path / "mine.txt", tmp_path / ".x.tmp"]
    for path in others[1:]:
        path.write_text("")
    FolderStore(tmp_path).clean([], search="s", has_lock=True)
    assert all(path.exists() for path in others)


@pytest.mark.skipif(os.name != "posix", reason="files are synced as POSIX has it")
@pytest.mark.parametrize("kind", ["folder", "artifacts", "backoff"])
def test_a_file_and_its_name_are_on_disk_when_it_is_put(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    files = FileSystemArtifactStore(tmp_path)
    store: Store = FolderStore(tmp_path)
    if kind != "folder":
        store = ArtifactFiles(files if kind == "artifacts" else Backoff(files))
    monkeypatch.setattr(os, "fsync", recorded)
    store.put("w", CONTENT)
    assert synced == [(tmp_path / "w").stat().st_ino, tmp_path.stat().st_ino]
