"""Test the mean intersection over union against values that are counted by hand."""

from __future__ import annotations

import pickle

import pytest
import torch

from relativenas_optuna.evaluation.tasks.segmentation.meter import IoUMeter

CLASSES = ("road", "car", "sky")
TRUE = torch.tensor([[[0, 0, 0, 1], [0, 0, 255, 1]]], dtype=torch.uint8)
# Of the road 4 of 5 pixels are found, and one pixel of a car is taken for road.
PREDICTED = torch.tensor([[[0, 0, 0, 1], [0, 1, 1, 0]]], dtype=torch.uint8)


def meter(*batches: tuple[torch.Tensor, torch.Tensor]) -> IoUMeter:
    found = IoUMeter(CLASSES)
    for predicted, true in batches:
        found.update(predicted, true)
    return found


def test_the_mean_is_over_classes_that_occur_and_ignores_pixels_without_a_class() -> None:
    figures = meter((PREDICTED, TRUE)).result()
    assert [*figures] == ["mIoU", "pixel accuracy", "IoU of road", "IoU of car"]
    assert figures["IoU of road"] == pytest.approx(4 / 6)
    assert figures["IoU of car"] == pytest.approx(1 / 3)
    assert figures["mIoU"] == pytest.approx((4 / 6 + 1 / 3) / 2)
    assert figures["pixel accuracy"] == pytest.approx(5 / 7)


def test_a_perfect_prediction_has_a_mean_of_1() -> None:
    assert meter((TRUE.clamp(max=1), TRUE)).result()["mIoU"] == 1


def test_a_class_that_is_only_predicted_counts_as_0() -> None:
    predicted = torch.full((1, 2, 2), 2, dtype=torch.uint8)
    true = torch.tensor([[[2, 2], [2, 2]]], dtype=torch.uint8)
    assert meter((predicted, true)).result()["mIoU"] == 1
    predicted[0, 0, 0] = 1
    assert meter((predicted, true)).result()["mIoU"] == pytest.approx((3 / 4 + 0) / 2)


def test_pixels_of_all_images_are_counted_together() -> None:
    other = torch.zeros(1, 1, 3, dtype=torch.uint8), torch.tensor([[[0, 1, 1]]], dtype=torch.uint8)
    figures = meter((PREDICTED, TRUE), other).result()
    assert figures["IoU of road"] == pytest.approx(5 / 9)
    assert figures["IoU of car"] == pytest.approx(1 / 5)


def test_merged_meters_equal_one_meter() -> None:
    other = torch.zeros(1, 1, 3, dtype=torch.uint8), torch.tensor([[[0, 1, 1]]], dtype=torch.uint8)
    merged, second = meter((PREDICTED, TRUE)), pickle.loads(pickle.dumps(meter(other)))  # noqa: S301
    merged.merge(second)
    merged.merge(IoUMeter(CLASSES))
    assert merged.result() == meter((PREDICTED, TRUE), other).result()


def test_images_without_any_class_give_0() -> None:
    nothing = torch.full((1, 2, 2), 255, dtype=torch.uint8)
    assert meter((torch.zeros_like(nothing), nothing)).result() == {
        "mIoU": 0.0,
        "pixel accuracy": 0.0,
    }
