from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from relativenas_optuna.training import DataError, images_of, load_images
from relativenas_optuna.training.data import hub
from relativenas_optuna.training.data.load import has_test_images
from relativenas_optuna.training.data.pixel_store import CACHE_VARIABLE

datasets = pytest.importorskip("datasets")
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 9, 7, 3), dtype=np.uint8)
LABELS = [0, 2, 1, 1, 0, 2, 0, 2]
NAMES = ["cat", "dog", "emu"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield
    hub._splits.cache_clear()


def encoded(pixels: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def rows(part: slice, labels: list[int] | None = None) -> Any:
    columns = {"img": list(map(encoded, PIXELS[part])), "kind": (labels or LABELS)[part]}
    features = datasets.Features(
        {"img": datasets.Image(), "kind": datasets.ClassLabel(names=NAMES)}
    )
    return datasets.Dataset.from_dict(columns, features=features)


def written(folder: Path, **splits: Any) -> str:
    """Write a data set as Parquet files, and return its text."""
    folder.mkdir()
    for name, split in splits.items():
        split.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return f"hf:{folder}"


@pytest.fixture
def source(tmp_path: Path) -> str:
    return written(tmp_path / "pets", train=rows(slice(6)), test=rows(slice(6, 8)))


def test_images_labels_and_names_are_those_of_the_library(source: str) -> None:
    images, test = load_images(source), load_images(source, train=False)
    whole = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    assert torch.equal(images.images, whole[:6])
    assert torch.equal(test.images, whole[6:])
    assert images.labels.tolist() + test.labels.tolist() == LABELS
    assert images.classes == test.classes == tuple(NAMES)
    assert (images.mean, images.std) == (test.mean, test.std)
    assert has_test_images(source)


def test_the_images_can_be_kept_in_a_file(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "pixels"))
    for _ in range(2):
        found = load_images(source, size=4, in_memory=False)
        assert torch.equal(found.images, load_images(source, size=4).images)
    assert len(list((tmp_path / "pixels").iterdir())) == 1


def test_a_folder_of_images_is_loaded_by_the_library(tmp_path: Path) -> None:
    for number, label in enumerate(LABELS):
        path = tmp_path / "pets" / "train" / NAMES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[number]).save(path)
    found = load_images(f"hf:{tmp_path / 'pets'}")
    assert sorted(found.labels.tolist()) == sorted(LABELS)
    assert found.classes == tuple(NAMES)
    assert not has_test_images(f"hf:{tmp_path / 'pets'}")


def test_hidden_labels_make_validation_the_test_images(tmp_path: Path) -> None:
    hidden = rows(slice(2), [-1, -1])
    source = written(
        tmp_path / "pets", train=rows(slice(5)), test=hidden, validation=rows(slice(5, 8))
    )
    assert len(load_images(source, train=False)) == 3


def test_data_sets_of_the_library_are_read_as_they_are() -> None:
    whole = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    for dataset in (rows(slice(8)), rows(slice(8)).to_iterable_dataset()):
        images = images_of(dataset)
        assert torch.equal(images.images, whole)
        assert images.classes == tuple(NAMES)


def test_columns_are_chosen_by_options(tmp_path: Path) -> None:
    both = rows(slice(8)).add_column("texts", [NAMES[2 - label] for label in LABELS])
    both = both.add_column("numbers", [label % 2 for label in LABELS])
    source = written(tmp_path / "pets", train=both)
    texts = load_images(f"{source},label=texts")
    assert texts.labels.tolist() == [2 - label for label in LABELS]
    assert texts.classes == tuple(NAMES)
    numbers = load_images(f"{source},image=img,label=numbers")
    assert numbers.labels.tolist() == [label % 2 for label in LABELS]
    assert numbers.classes == ("0", "1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",label=none", "no column 'none'; its columns are 'img', 'kind'"),
        (",colour=red", r"must be hf:NAME, with options .*; got 'colour=red'"),
        (",label=", "got 'label='"),
        (",train=all", "no split 'all' to train on; its splits are 'train', 'test'"),
        (",label=img", "column 'img' .* must have texts, or numbers"),
    ],
)
def test_options_that_do_not_fit_are_refused(source: str, options: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_images(source + options)
    assert "\n" not in str(caught.value)


def test_several_columns_are_named(tmp_path: Path) -> None:
    twice = (
        rows(slice(8))
        .add_column("fine", LABELS)
        .cast_column("fine", datasets.ClassLabel(names=NAMES))
    )
    source = written(tmp_path / "pets", train=twice)
    with pytest.raises(
        DataError, match="several columns of type ClassLabel, 'kind', 'fine': say which one by hf:"
    ):
        load_images(source)


def test_a_data_set_without_images_names_its_columns(tmp_path: Path) -> None:
    source = written(tmp_path / "pets", train=rows(slice(8)).remove_columns("img"))
    with pytest.raises(DataError, match="no column of type Image; its columns are 'kind'"):
        load_images(source)


def test_a_data_set_without_test_images_says_how_to_name_them(tmp_path: Path) -> None:
    source = written(tmp_path / "pets", train=rows(slice(8)))
    with pytest.raises(DataError, match="no test images; its splits are 'train': say which one"):
        load_images(source, train=False)


def test_a_data_set_that_is_not_there_is_one_line() -> None:
    with pytest.raises(DataError, match=r"^data 'hf:nobody/nothing' cannot be loaded: ") as caught:
        load_images("hf:nobody/nothing")
    assert "\n" not in str(caught.value)


def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="needs the library datasets: pip install datasets"):
        load_images("hf:beans")


def test_a_library_that_runs_programs_of_data_sets_is_refused(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "__version__", "3.6.0")
    with pytest.raises(DataError, match=r"needs version 4 or newer .* got 3\.6\.0"):
        load_images(source)


def test_damaged_images_are_named_by_their_numbers(tmp_path: Path) -> None:
    columns = {"img": [encoded(PIXELS[0]), {"bytes": b"x", "path": None}], "kind": [0, 1]}
    damaged = datasets.Dataset.from_dict(columns, features=rows(slice(1)).features)
    source = written(tmp_path / "pets", train=damaged)
    with pytest.raises(DataError, match=r"image 'hf:.*pets train 1' cannot be read: it is no"):
        load_images(source)
