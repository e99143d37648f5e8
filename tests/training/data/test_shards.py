from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relativenas_optuna.training import DataError, load_images
from relativenas_optuna.training.data.data_names import shard_paths
from relativenas_optuna.training.data.load import has_test_images
from relativenas_optuna.training.data.pixel_store import CACHE_VARIABLE

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two tar files of three images each."""
    for number in range(2):
        with tarfile.open(tmp_path / f"s-{number:03}.tar", "w") as archive:
            for index in range(3 * number, 3 * number + 3):
                add(archive, f"{index:04}.PNG", png(PIXELS[index]))
                add(archive, f"{index:04}.cls", b"%d\n" % (index % 2))
                add(archive, f"{index:04}.json", b"{}")
    return tmp_path


@pytest.mark.parametrize("pattern", ["s-{000..001}.tar", "s-{001,000}.tar", "s-*.tar"])
def test_images_and_labels_are_those_of_the_tar_files(folder: Path, pattern: str) -> None:
    images = load_images(str(folder / pattern))
    order = [3, 4, 5, 0, 1, 2] if "," in pattern else [0, 1, 2, 3, 4, 5]
    assert torch.equal(images.images, torch.from_numpy(PIXELS[order]).permute(0, 3, 1, 2))
    assert images.labels.tolist() == [index % 2 for index in order]
    assert images.classes == ("0", "1")


def test_tar_files_are_kept_as_pixels_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(folder / "cache"))
    source = str(folder / "s-{000..001}.tar")
    found = load_images(source, size=4, in_memory=False)
    assert torch.equal(found.images, load_images(source, size=4).images)


def test_all_images_in_tar_files_are_training_images(folder: Path) -> None:
    source = str(folder / "s-{000..001}.tar")
    assert not has_test_images(source)
    with pytest.raises(DataError, match="has no test images"):
        load_images(source, train=False)


def test_braces_expand_as_in_a_shell() -> None:
    assert shard_paths("a-{08..10}-{x,y}.tar") == [
        f"a-{number}-{letter}.tar" for number in ("08", "09", "10") for letter in "xy"
    ]
    assert shard_paths("{9..11}.tar") == ["9.tar", "10.tar", "11.tar"]
    assert shard_paths("none.tar") == ["none.tar"]


@pytest.mark.parametrize(
    "pattern", ["{0..999999999}.tar", "{0..9999}{0..9999}.tar", "{0..99}" * 9 + ".tar"]
)
def test_too_many_tar_files_are_refused(pattern: str) -> None:
    with pytest.raises(DataError, match="must be at most 100,000"):
        shard_paths(pattern)


def image(name: str = "a.png") -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def link() -> tarfile.TarInfo:
    member = image()
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([(link(), b"")], "member 'a.png' .* must be a plain file"),
        ([(image(), png(PIXELS[0]))], r"has no label \(.cls\) of the key 'a'"),
        ([(image("a.cls"), b"0")], "has no image of the key 'a'"),
        ([(image(), png(PIXELS[0])), (image("a.jpg"), b"")], "has two images of the key 'a'"),
        ([(image("a.cls"), b"cat")], "must be a whole number from 0, got b'cat'"),
        ([(image("a.cls"), b"-1")], "must be a whole number from 0"),
        ([(image("a.cls"), b"9" * 5000)], "must be a whole number from 0"),
        ([(image("a.pkl"), b"x"), (image("a.txt"), b"x")], "has no images"),
    ],
)
def test_members_that_cannot_be_used_are_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match=message) as caught:
        load_images(str(tmp_path / "a.tar"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no tar file" * 100, b"\x1f\x8b" + bytes(600)])
def test_a_file_that_is_no_tar_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"^tar file '.*a.tar' cannot be read: |no images"):
        load_images(str(tmp_path / "a.tar"))


def test_a_missing_tar_file_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"^tar file '.*s-002.tar' cannot be read: No such file"):
        load_images(str(folder / "s-{000..002}.tar"))


def test_a_cut_tar_file_is_refused(folder: Path) -> None:
    path = folder / "s-000.tar"
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(DataError, match=r"^tar file '.*s-000.tar' (is cut|cannot be read)"):
        load_images(str(path))


def test_a_damaged_image_is_named_with_its_tar_file(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number, content in enumerate((png(PIXELS[0]), b"text", b"")):
            add(archive, f"{number}.png", content)
            add(archive, f"{number}.cls", b"%d" % (number % 2))
    with pytest.raises(DataError, match=r"a.tar/1.png' \(it is no image.*a.tar/2.png' \(the file"):
        load_images(str(tmp_path / "a.tar"))
