"""The augmentation of SSD."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.tasks.detection.augmentation import augmented, resized


def rectangle(height: int = 60, width: int = 80) -> tuple[Tensor, Tensor, Tensor]:
    """Return a dark image with a white rectangle, its box and its label."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    image[:, 20:50, 10:40] = 255
    return image, torch.tensor([[10.0, 20, 40, 50]]), torch.tensor([1])


def test_the_box_stays_around_its_object() -> None:
    inside, outside, kept = [], [], 0
    for seed in range(40):
        torch.manual_seed(seed)
        image, boxes, labels = augmented(*rectangle(), side=64, flip=True)
        assert (image.shape, image.dtype, len(boxes)) == ((3, 64, 64), torch.uint8, len(labels))
        assert boxes.min() >= 0
        assert boxes.max() <= 64
        kept += len(boxes)
        for left, top, right, bottom in boxes.round().int().tolist():
            light = image.float().mean(0)
            inside.append(light[top + 2 : bottom - 2, left + 2 : right - 2].mean().item())
            mask = torch.ones(64, 64, dtype=torch.bool)
            mask[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
            outside += [light[mask].max().item()] if mask.any() else []
    assert kept == 40  # a crop holds the centre of a box, or is not taken
    assert min(inside) > 126 > max(outside)  # the canvas around the image is grey


def test_the_same_random_numbers_give_the_same_image() -> None:
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(augmented(*rectangle(), side=64, flip=True))
    for first, second in zip(*results[:2], strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(results[0][0], results[2][0])


def test_only_flip_mirrors() -> None:
    """The image gets lighter from left to right; its pixels are grey, and the canvas is not."""
    image = torch.arange(80, dtype=torch.uint8).mul(3).expand(3, 60, 80).contiguous()
    columns = torch.arange(32.0).expand(32, 32)
    for flip in (True, False):
        rising = set()
        for seed in range(20):
            torch.manual_seed(seed)
            found, _, _ = augmented(
                image, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), side=32, flip=flip
            )
            grey = found.amax(0) - found.amin(0) <= 1
            pairs = torch.stack([columns[grey], found[0][grey].float()])
            rising.add(bool(torch.corrcoef(pairs)[0, 1] > 0))
        assert rising == ({True, False} if flip else {True})


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (2, 9)])
def test_tiny_images_are_augmented(size: tuple[int, int]) -> None:
    height, width = size
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    boxes = torch.tensor([[0.0, 0, width, height]])
    for seed in range(10):
        torch.manual_seed(seed)
        found, kept, _ = augmented(image, boxes, torch.tensor([1]), side=32, flip=True)
        assert found.shape == (3, 32, 32)
        assert len(kept) == 1


def test_images_are_resized_for_evaluation() -> None:
    image, boxes, _ = rectangle()
    image, boxes = resized(image, boxes, side=40)
    assert boxes.tolist() == [[5, pytest.approx(20 * 40 / 60), 20, pytest.approx(50 * 40 / 60)]]
    assert image[:, 15:33, 6:19].min() == 255
    assert (image.sum() / (3 * 255)).item() == pytest.approx(15 * 20, rel=0.05)
