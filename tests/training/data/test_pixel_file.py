from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from relativenas_optuna.training import DataError
from relativenas_optuna.training.data.pixel_file import PixelFile, PixelWriter, open_pixels_at

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 5, 4), dtype=np.uint8)


def written(path: Path, images: Any = IMAGES, *, step: int = 7) -> Path:
    """Write images to a file, a few at a time."""
    with path.open("w+b", buffering=0) as file:
        writer = PixelWriter(file, images.shape[1:], images.dtype)
        for start in range(0, len(images), step):
            writer.append(images[start : start + step])
        writer.finish({"key": "k"})
    return path


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> PixelFile:
    return open_pixels_at(written(tmp_path_factory.mktemp("pixels") / "a"))


@given(st.lists(st.integers(0, 19)))
def test_the_images_at_any_rows_are_read(pixels: PixelFile, rows: list[int]) -> None:
    assert np.array_equal(pixels.read(np.array(rows, np.int64)), IMAGES[rows])


def test_floats_are_read_to_the_last_bit(tmp_path: Path) -> None:
    floats = np.random.default_rng(0).standard_normal((6, 1, 3, 3), np.float32)
    found = open_pixels_at(written(tmp_path / "a", floats))
    assert np.array_equal(found.read(np.arange(6)), floats)
    assert found.notes == {"key": "k"}


def test_safetensors_reads_the_file(tmp_path: Path) -> None:
    assert np.array_equal(load_file(written(tmp_path / "a"))["images"], IMAGES)


def test_threads_read_at_the_same_time(pixels: PixelFile) -> None:
    wrong: list[int] = []

    def read(number: int) -> None:
        rows = np.random.default_rng(number).permutation(20)
        if not all(np.array_equal(pixels.read(rows), IMAGES[rows]) for _ in range(50)):
            wrong.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("start", "new"),
    [
        (0, b"\0"),
        (8, b"["),
        (8, b"[" * 4000),
        (8, b'{"images": 1}' + b" " * 400),
        (8, b'{"images": {"dtype": "U8", "shape": [1, 2]}, "__metadata__": {}}' + b" " * 400),
        (8, b'{"images": {"dtype": "U8", "shape": [-1,3,5,4]}, "__metadata__": {}}' + b" " * 400),
    ],
)
def test_a_file_with_another_header_is_refused(tmp_path: Path, start: int, new: bytes) -> None:
    path = written(tmp_path / "a")
    content = bytearray(path.read_bytes())
    content[start : start + len(new)] = new
    path.write_bytes(content)
    with pytest.raises(ValueError, match="header"):
        open_pixels_at(path)


@pytest.mark.parametrize("length", [0, 100, 4096, 5000])
def test_a_cut_file_is_refused(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"header|length"):
        open_pixels_at(path)


def test_a_file_without_its_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("w+b", buffering=0) as file:
        PixelWriter(file, (3, 5, 4), IMAGES.dtype).append(IMAGES)
    with pytest.raises(ValueError, match="header"):
        open_pixels_at(path)


def test_a_file_that_is_cut_while_it_is_open_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    found = open_pixels_at(path)
    with path.open("r+b") as file:
        file.truncate(4200)
    with pytest.raises(DataError, match=r"the file of images '.*a' was cut: start again"):
        found.read(np.array([19]))
