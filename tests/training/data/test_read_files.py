from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import torch

from relativenas_optuna.training import DataError, FileImages, Images, load_images
from relativenas_optuna.training.data import pixel_store
from relativenas_optuna.training.data.pixel_store import CACHE_VARIABLE, MEMORY_VARIABLE
from tests.helpers.small_disks import file_system
from tests.training.data.test_folder import draw


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of training images, and test images."""
    for number in range(10):
        part = "train" if number < 6 else "test"
        draw(tmp_path / "pets" / part / ("cat", "dog")[number % 2] / f"{number}.png", seed=number)
    return tmp_path / "pets"


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("size", [None, 5])
def test_images_in_a_file_are_those_in_memory(
    folder: Path, cache: Path, train: bool, size: int | None
) -> None:
    whole = load_images(folder, train=train, size=size)
    assert isinstance(whole, Images)
    assert not cache.exists()
    for _ in range(2):  # written, and read again
        file = load_images(folder, train=train, size=size, in_memory=False)
        assert isinstance(file, FileImages)
        assert torch.equal(file.images, whole.images)
        assert torch.equal(file.labels, whole.labels)
        assert (file.mean, file.std, file.classes) == (whole.mean, whole.std, whole.classes)
    names = sorted(path.name for path in cache.iterdir())
    assert [name.split("-")[1] for name in names] == (["train"] if train else ["test", "train"])


def test_a_changed_image_is_read_anew_into_the_same_file(folder: Path, cache: Path) -> None:
    first = load_images(folder, in_memory=False)
    before = list(cache.iterdir())
    os.utime(draw(folder / "train" / "cat" / "0.png", seed=99), ns=(1, 1))
    second = load_images(folder, in_memory=False)
    assert torch.equal(second.images, load_images(folder).images)
    assert not torch.equal(second.images, first.images)
    assert list(cache.iterdir()) == before


def test_a_damaged_file_is_written_anew(folder: Path, cache: Path) -> None:
    whole = load_images(folder, in_memory=False).images
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:5000])
    assert torch.equal(load_images(folder, in_memory=False).images, whole)


def test_the_environment_says_how_much_memory_images_may_take(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 6 * 3 * 8 * 8
    monkeypatch.setenv(MEMORY_VARIABLE, f"{size}e-9")
    assert isinstance(load_images(folder), Images)
    monkeypatch.setenv(MEMORY_VARIABLE, f"{size - 1}e-9")
    assert isinstance(load_images(folder), FileImages)
    for wrong in ("much", "nan", "-1"):
        monkeypatch.setenv(MEMORY_VARIABLE, wrong)
        with pytest.raises(DataError, match=f"^{MEMORY_VARIABLE} must be a number of gigabytes"):
            load_images(folder)


def test_what_memory_cannot_hold_goes_into_a_file(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_store, "shortage", lambda needed: "more memory")
    assert isinstance(load_images(folder), FileImages)
    with pytest.raises(DataError, match=r"^6 images of 8x8 need more memory: take a smaller size"):
        load_images(folder, in_memory=True)


def test_nothing_stays_of_images_that_cannot_be_read(folder: Path, cache: Path) -> None:
    (folder / "train" / "dog" / "1.png").write_bytes(b"")
    (folder / "train" / "dog" / "3.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^2 images cannot be read"):
        load_images(folder, in_memory=False)
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_named_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with file_system(tmp_path / "disk", megabytes=1) as disk:
        monkeypatch.setenv(CACHE_VARIABLE, str(disk))
        with pytest.raises(DataError, match=r"need 0\.0 GB on the disk of .*/disk'.*another disk$"):
            load_images(folder, size=512, in_memory=False)
        monkeypatch.setattr(pixel_store, "_require_room", lambda image, count: None)
        with pytest.raises(DataError, match=r"could not be written to .*: No space left"):
            load_images(folder, size=512, in_memory=False)
        assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=f"cannot be made: .*; set {CACHE_VARIABLE} to another"):
        load_images(folder, in_memory=False)


def test_threads_that_need_the_same_file_write_it_once(folder: Path, cache: Path) -> None:
    found: list[FileImages] = []

    def load() -> None:
        images = load_images(folder, in_memory=False)
        assert isinstance(images, FileImages)
        found.append(images)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = {os.fstat(images.pixels.file.fileno()).st_ino for images in found}
    assert (len(found), len(files)) == (4, 1)


def test_images_of_different_sizes_are_resized_and_said(folder: Path) -> None:
    for number, side in enumerate((10, 11, 12, 13)):
        draw(folder / "train" / "cat" / f"wide{number}.png", 40, side)
    with pytest.warns(UserWarning, match=r"such as 8x8 and 40x13; they are resized to 8x8"):
        images = load_images(folder)
    assert images.shape == (3, 8, 8)
    assert torch.equal(images.images, load_images(folder, size=8).images)


def test_test_images_take_the_size_of_training_images_of_different_sizes(folder: Path) -> None:
    for number in range(8):
        draw(folder / "train" / "cat" / f"wide{number}.png", 40, 12 + number)
    with pytest.warns(UserWarning, match="resized to 12x12"):
        assert load_images(folder, train=False).shape == (3, 12, 12)


def test_large_images_of_different_sizes_become_64_pixels_wide(folder: Path) -> None:
    for path in (folder / "train").glob("*/*.png"):
        draw(path, 100, 90 + int(path.stem))
    with pytest.warns(UserWarning, match="resized to 64x64, the longer side cropped"):
        assert load_images(folder, in_memory=False).shape == (3, 64, 64)


def test_test_images_of_different_sizes_ask_for_a_size(folder: Path) -> None:
    path = draw(folder / "test" / "dog" / "wide.png", 9, 8)
    with pytest.raises(DataError, match="give a size") as caught:
        load_images(folder, train=False)
    assert f"'{path}' is 9x8" in str(caught.value)
    assert "is 8x8" in str(caught.value)
