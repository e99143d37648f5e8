"""Test the reading of annotated images: keyed augmentation, batches, splits and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.exceptions import DataError

COUNT = 7


@dataclass
class Squares:
    """Images of one colour; the augmentation adds a random number to it."""

    boxes: bool = False
    unreadable: int = -1
    sides: tuple[int, ...] = (4,)

    def __len__(self) -> int:
        return COUNT

    def read(self, index: int, *, augment: bool) -> tuple[Tensor, Any]:
        if index == self.unreadable:
            raise DataError(f"image {index} cannot be read")
        side = self.sides[index % len(self.sides)]
        added = int(torch.randint(100, ())) if augment else 0
        image = torch.full((3, side, side), index + added, dtype=torch.uint8)
        target = torch.tensor(index)
        return image, {"box": target, "name": str(index)} if self.boxes else target

    def fingerprint(self) -> str:
        return str(self.sides)


def samples(workers: int = 0, **changes: Any) -> Samples:
    return Samples.of(Squares(**changes), ("a", "b"), (3, 4, 4), workers)


def pieces(of: Samples, seed: int, *indices: list[int]) -> list[tuple[Tensor, Any]]:
    return list(of.pieces(map(torch.tensor, indices), seed))


def test_the_augmentation_depends_on_seed_and_record_only() -> None:
    (first, _), (second, _) = pieces(samples(), 3, [0, 1], [2, 3])
    (whole, targets), *_ = pieces(samples(), 3, [3, 0, 2, 1])
    assert torch.equal(torch.cat([first, second]), whole[[1, 3, 2, 0]])
    assert targets.tolist() == [3, 0, 2, 1]
    (part, _), *_ = pieces(samples().subset([5, 3]), 3, [1])
    assert torch.equal(part, whole[:1])
    (other, _), *_ = pieces(samples(), 4, [3, 0, 2, 1])
    assert not torch.equal(other, whole)


def test_reading_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    pieces(samples(), 3, [0, 1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_worker_process_reads_the_same() -> None:
    alone, shared = (pieces(samples(workers), 3, [0, 1], [2, 3]) for workers in (0, 1))
    for (one, target), (other, same) in zip(alone, shared, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(target, same)


def test_batches_hold_all_images_in_order_normalised() -> None:
    batches = list(samples().batches(3))
    assert [len(images) for images, _ in batches] == [3, 3, 1]
    assert torch.cat([targets for _, targets in batches]).tolist() == [*range(COUNT)]
    images = torch.cat([images for images, _ in batches])
    expected = (6 / 255 - 0.485) / 0.229
    assert images[6, 0, 0, 0] == pytest.approx(expected, rel=1e-6)


def test_targets_that_are_dicts_come_as_a_list() -> None:
    (_, targets), *_ = pieces(samples(boxes=True), 0, [1, 2])
    assert [target["name"] for target in targets] == ["1", "2"]
    assert targets[1]["box"] == 2


def test_images_of_other_sizes_come_in_batches_of_their_own() -> None:
    mixed = samples(sides=(4, 6, 6))
    assert [tuple(images.shape) for images, _ in mixed.batches(3)] == [
        (1, 3, 4, 4), (2, 3, 6, 6), (1, 3, 4, 4), (2, 3, 6, 6), (1, 3, 4, 4),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"must have one size, got \[4, 4\] and \[6, 6\]"):
        pieces(mixed, 0, [0, 1])


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_one_clear_line(workers: int) -> None:
    with pytest.raises(DataError, match=r"^image 5 cannot be read$"):
        list(samples(workers, unreadable=5).batches(4))


def test_a_split_has_every_image_once_and_follows_the_seed() -> None:
    parts = samples().split(0.7, seed=1)
    assert [len(part) for part in parts] == [5, 2]
    assert sorted([*parts[0].indices, *parts[1].indices]) == [*range(COUNT)]
    again, other = samples().split(0.7, seed=1), samples().split(0.7, seed=2)
    assert again[1].indices == parts[1].indices
    assert other[1].indices != parts[1].indices
    assert len(samples().split(0.99, seed=1)[1]) == 1
    with pytest.raises(DataError, match="at least 2 images, got 1"):
        samples().subset([0]).split(0.5, seed=0)


def test_the_fingerprint_follows_the_content() -> None:
    own = samples().fingerprint()
    assert own == samples(workers=2).fingerprint()
    others = {
        samples(sides=(4, 6)).fingerprint(),
        samples().subset([0, 1]).fingerprint(),
        samples().subset([1, 0]).fingerprint(),
    }
    assert len(others | {own}) == 4
