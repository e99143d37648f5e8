from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from relativenas_optuna.training import FileImages, Images, ImageSet, images_of
from relativenas_optuna.training.data import pixel_store
from relativenas_optuna.training.data.fingerprint import digest
from tests.helpers.tiny_search import scores, searched, tiny_images


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pixel_store.CACHE_VARIABLE, str(tmp_path))


def both(count: int = 60) -> tuple[Images, FileImages]:
    """Return the same images in memory and in a file."""
    images = tiny_images(count)
    pairs = list(zip(images.images, images.labels.tolist(), strict=True))
    found = images_of(pairs, classes=images.classes, like=images, in_memory=False)
    assert isinstance(found, FileImages)
    return images, found


def batches(images: ImageSet) -> Iterator[Tensor]:
    for pair in images.batches(7):
        yield from pair


def test_batches_and_pieces_are_those_in_memory() -> None:
    indices = [torch.tensor([5, 3, 3]), torch.tensor([59, 0]), torch.tensor([7])]
    whole, file = both()
    assert (file.shape, file.dtype, len(file)) == (whole.shape, whole.dtype, len(whole))
    assert len(list(batches(file))) == 2 * 9
    assert all(map(torch.equal, batches(file), batches(whole)))
    for first, second in zip(whole.pieces(indices, 0), file.pieces(indices, 0), strict=True):
        assert all(map(torch.equal, first, second))
    assert torch.equal(file.images, whole.images)
    assert torch.equal(file.at(indices[0]), whole.images[indices[0]])
    assert list(file.pieces([], 0)) == []


def test_parts_read_from_the_same_file() -> None:
    whole, file = both()
    one, other = whole.split(0.3, seed=4), file.split(0.3, seed=4)
    for first, second in zip(one, other, strict=True):
        assert second.pixels is file.pixels
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.labels, second.labels)
    chosen = other[0].subset([2, 0])
    assert torch.equal(chosen.images, one[0].subset([2, 0]).images)


def test_the_fingerprint_is_that_of_the_images_in_memory() -> None:
    whole, file = both()
    assert digest(file) == digest(whole)
    assert digest(file.subset(range(9))) == digest(whole.subset(range(9)))
    assert digest(file.subset(range(9))) != digest(file)


def test_a_reader_that_is_left_early_ends_its_thread() -> None:
    _, file = both()
    stream = file.batches(2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert torch.equal(next(file.batches(60))[0], file.images)


def test_rows_and_labels_must_be_as_many() -> None:
    _, file = both()
    with pytest.raises(ValueError, match=r"labels must be an int64 tensor \[60\]"):
        replace(file, labels=file.labels[1:])


def test_a_search_has_the_scores_of_the_search_in_memory() -> None:
    whole, file = both(30)
    found = [scores(searched(4, data=data)[1]) for data in (whole, file)]
    assert len(found[0]) == 4
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_search_on_uniform_paths_has_the_scores_of_the_search_in_memory() -> None:
    whole, file = both()
    found = [scores(searched(4, data=data, uniform_epochs=1)[1]) for data in (whole, file)]
    assert found[0] == found[1]
