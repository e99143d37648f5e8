"""Test images that are read while training."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from relativenas_optuna.training import (
    Augmentation,
    DataError,
    evaluate,
    generators,
    train_epoch,
)
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.batch_parts import BatchParts
from relativenas_optuna.training.data.streamed import StreamedImages, stream_folder
from tests.helpers.training.small import assert_equal_weights, network

PLAIN = Augmentation(padding=0, flip=False, cutout=0)
SIZE = 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of images of many sizes, in training and test."""
    root: Path = tmp_path_factory.mktemp("pets")
    rng = np.random.default_rng(0)
    for number in range(24):
        part = "test" if number % 4 == 0 else "train"
        path = root / part / "abc"[number % 3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(12, 40, 2)
        small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(small).resize((int(width), int(height))).save(path)
    return root


def streamed(folder: Path, workers: int = 0, **changes: object) -> StreamedImages:
    found = stream_folder(folder, size=SIZE, workers=workers, color_jitter=0.3)
    return replace(found, **changes)  # type: ignore[arg-type]


def read(data: StreamedImages, order: list[int], seed: int = 3) -> dict[int, Tensor]:
    """Return images for training by their index, read four at a time."""
    index = torch.tensor(order)
    pieces = data.pieces(torch.split(index, 4), seed)
    images = torch.cat([images for images, _ in pieces])
    return dict(zip(order, images, strict=True))


def test_streamed_images_list_the_same_files_as_image_folder(folder: Path) -> None:
    oracle = ImageFolder(str(folder / "train"))
    images = streamed(folder)
    assert len(images) == len(oracle) == 18
    assert images.labels.tolist() == oracle.targets
    assert list(images.classes) == oracle.classes
    assert list(images.paths) == [path for path, _ in oracle.samples]
    assert images.shape == (3, SIZE, SIZE)
    assert len(stream_folder(folder, size=SIZE, train=False)) == 6


def test_images_are_scored_resized_and_cropped_at_the_centre(folder: Path) -> None:
    transform = v2.Compose([v2.Resize(16), v2.CenterCrop(SIZE), v2.PILToTensor()])
    oracle = ImageFolder(str(folder / "train"), transform=transform)
    found = list(streamed(folder).batches(5))
    assert [len(labels) for _, labels in found] == [5, 5, 5, 3]
    expected = torch.stack([image for image, _ in oracle])
    assert torch.equal(torch.cat([images for images, _ in found]), expected)
    assert torch.cat([labels for _, labels in found]).tolist() == oracle.targets


def test_an_image_depends_on_seed_and_index_only(folder: Path) -> None:
    images = streamed(folder)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = read(images, list(range(18)))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    other = read(replace(images, workers=1), list(reversed(range(18))))
    assert all(torch.equal(first[index], other[index]) for index in first)
    again = read(images, list(range(18)), seed=4)
    assert sum(torch.equal(first[index], again[index]) for index in first) == 0


def test_random_crops_equal_those_of_torchvision(folder: Path) -> None:
    """Crops of 8 to 100 % of the area, mirrored half of the time; jitter moves colours only."""
    path = folder / "train" / "a" / "wide.png"
    gradient = np.zeros((32, 32, 3), dtype=np.uint8)
    gradient[..., 0] = np.arange(32) * 8
    gradient[..., 1] = (np.arange(32) * 8)[:, None]
    Image.fromarray(gradient).save(path)
    try:
        data = StreamedImages(
            paths=[str(path)] * 400,
            labels=torch.zeros(400, dtype=torch.int64),
            classes=("a", "b"),
            size=SIZE,
        )
        images = torch.stack(list(read(data, list(range(400))).values())).float()
        still = torch.stack(list(read(replace(data, flip=False), list(range(400))).values()))
    finally:
        path.unlink()
    across, down = (
        (images[:, channel].amax((1, 2)) - images[:, channel].amin((1, 2))) / 8
        for channel in (0, 1)
    )
    area = across * down / 31**2
    assert 0.04 < float(area.min()) < 0.12
    assert float(area.max()) > 0.85
    assert 0.4 < float(area.median()) < 0.65
    mirrored = images[:, 0, 0, 0] > images[:, 0, 0, -1]
    assert 0.4 < float(mirrored.float().mean()) < 0.6
    assert (still[:, 0, 0, 0] < still[:, 0, 0, -1]).all()


def test_color_jitter_has_the_given_strength(folder: Path) -> None:
    order = list(range(18))
    plain, little, much = (
        torch.stack(list(read(streamed(folder, color_jitter=jitter), order).values())).float()
        for jitter in (0.0, 0.1, 0.9)
    )
    near, far = (float((other - plain).abs().mean()) for other in (little, much))
    assert 0 < near < far


def trained(images: StreamedImages, batch_parts: BatchParts | None = None) -> torch.nn.Module:
    module = network()
    train_epoch(
        module,
        module.parameters(),
        images,
        module=module,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
        generators=generators(1),
        augmentation=replace(PLAIN, cutout=3),
        batch_size=8,
        batch_parts=batch_parts or BatchParts(),
    )
    return module


def test_an_epoch_equals_one_on_images_in_memory(folder: Path) -> None:
    data = streamed(folder)
    module, plain = trained(data), network()
    assert_equal_weights(module, trained(replace(data, workers=1)))
    random = generators(1)
    order = torch.randperm(18, generator=random.order)
    seen = read(data, order.tolist(), seed=random.augmentation.initial_seed())
    images = torch.stack([seen[index] for index in order.tolist()])
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    augmentation = replace(PLAIN, cutout=3)
    for start, stop in ((0, 8), (8, 16), (16, 18)):
        draws = augmentation.draw(stop - start, SIZE, SIZE, random.augmentation)
        batch = augmentation.apply(images[start:stop], *data.statistics(), draws)
        loss = torch.nn.functional.cross_entropy(plain(batch), data.labels[order[start:stop]])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 5.0)
        optimizer.step()
    assert_equal_weights(module, plain)


def test_two_processes_train_on_the_parts_of_one(folder: Path) -> None:
    data, seen = streamed(folder), []
    for batch_parts in (
        BatchParts(accumulate=2),
        BatchParts(processes=2, process=0),
        BatchParts(processes=2, process=1),
    ):
        images: list[Tensor] = []

        def forward(batch: Tensor, images: list[Tensor] = images) -> Tensor:
            images.append(batch)
            return torch.zeros(len(batch), 3, requires_grad=True)

        module = network()
        train_epoch(
            forward,
            [],
            data,
            module=module,
            optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
            generators=generators(1),
            augmentation=PLAIN,
            batch_size=8,
            clip=None,
            batch_parts=batch_parts,
        )
        seen.append(images)
    both, first, second = seen
    halves = [part for pair in zip(first, second, strict=True) for part in pair]
    assert all(torch.equal(one, other) for one, other in zip(both, halves, strict=True))


def test_scores_do_not_depend_on_the_number_of_workers(folder: Path) -> None:
    module = network()
    found = [
        evaluate(module, streamed(folder, workers), module=module, batch_size=4)
        for workers in (0, 1)
    ]
    assert found[0] == found[1]
    assert found[0].count == 18
    images = torch.cat([images for images, _ in streamed(folder).batches(18)])
    with torch.no_grad():
        logits = module.eval()(normalise(images, *streamed(folder).statistics()))
    right = (logits.argmax(1) == streamed(folder).labels).float().mean()
    assert found[0].accuracy == pytest.approx(float(right))


def test_streamed_images_split_like_images_in_memory(folder: Path) -> None:
    training, validation = streamed(folder).split(0.5, seed=1)
    assert sorted([*training.paths, *validation.paths]) == sorted(streamed(folder).paths)
    assert set(training.labels.tolist()) == set(validation.labels.tolist()) == {0, 1, 2}
    for part in (training, validation):
        for path, label in zip(part.paths, part.labels.tolist(), strict=True):
            assert Path(path).parent.name == part.classes[label]


@pytest.mark.parametrize("workers", [0, 1])
def test_all_damaged_images_are_named_in_one_line(
    workers: int, folder: Path, tmp_path: Path
) -> None:
    broken = [tmp_path / "broken.png", tmp_path / "empty.png"]
    for path, content in zip(broken, (b"\x89PNG\r\n", b""), strict=True):
        path.write_bytes(content)
    whole = streamed(folder)
    images = replace(
        whole, paths=[str(broken[1]), *whole.paths[1:-1], str(broken[0])], workers=workers
    )
    with pytest.raises(DataError, match=r"2 images cannot be read.*empty.*broken.png") as said:
        list(images.batches(4))
    assert "\n" not in str(said.value)


def test_folders_that_do_not_go_together_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in ("train/a", "train/b", "test/a", "test/c"):
        (tmp_path / path).mkdir(parents=True)
        os.link(next((folder / "train" / "a").iterdir()), tmp_path / path / "0.png")
    with pytest.raises(DataError, match="must have the same classes"):
        stream_folder(tmp_path, size=8, train=False)
    with pytest.raises(DataError, match="does not exist"):
        stream_folder(tmp_path / "missing", size=8)
