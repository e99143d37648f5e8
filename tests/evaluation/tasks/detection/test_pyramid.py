"""Backbones in torchvision's detection builders."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from relativenas_optuna.evaluation import PyramidBackbone
from relativenas_optuna.networks import build
from tests.helpers.networks import random_images

SMALL: dict[str, Any] = {"channels": 4, "cells": 3, "features_only": True}
FOUR = (1, 2, 3, 4)
TARGETS = [
    {"boxes": torch.tensor([[4.0, 8.0, 40.0, 50.0]]), "labels": torch.tensor([1])},
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
]


def faster_rcnn(backbone: Any) -> Any:
    return FasterRCNN(PyramidBackbone(backbone, 8), 3, min_size=64, max_size=64)


def one_stage(builder: Any) -> Any:
    backbone = build("DARTS_V2", "imagenet", out_indices=(2, 3, 4), **SMALL)
    pyramid = PyramidBackbone(backbone, 32, LastLevelP6P7(32, 32))
    return builder(pyramid, 3, min_size=64, max_size=64)


DETECTORS = {
    "Faster R-CNN": lambda: faster_rcnn(build("DARTS_V2", "imagenet", out_indices=FOUR, **SMALL)),
    "with timm's backbone": lambda: faster_rcnn(
        timm.create_model("resnet10t", features_only=True, out_indices=FOUR)
    ),
    "RetinaNet": lambda: one_stage(RetinaNet),
    "FCOS": lambda: one_stage(FCOS),
}


@pytest.mark.parametrize("detector", DETECTORS)
def test_torchvisions_detectors_train_and_detect(detector: str) -> None:
    torch.manual_seed(0)
    network = DETECTORS[detector]()
    images = list(random_images(2, 3, 64, 64))
    losses = network.train()(images, TARGETS)
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in network.backbone.parameters())
    detections = network.eval()(images)
    assert [set(found) for found in detections] == [{"boxes", "scores", "labels"}] * 2


def test_the_pyramid_has_the_sizes_of_the_maps_and_one_of_half_the_last() -> None:
    backbone = build("RelativeNAS", "imagenet", out_indices=FOUR, **SMALL)
    maps = PyramidBackbone(backbone, 8)(random_images(1, 3, 64, 96))
    assert [tuple(x.shape) for x in maps.values()] == [
        (1, 8, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ] + [(1, 8, 1, 2)]
