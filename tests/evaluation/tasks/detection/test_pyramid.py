"""Backbones in torchvision's detection builders."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from relativenas_optuna.evaluation import PyramidBackbone
from relativenas_optuna.networks import build
from tests.helpers.networks import random_images

SMALL: dict[str, Any] = {"channels": 4, "cells": 3, "features_only": True}
TARGETS = [
    {"boxes": torch.tensor([[4.0, 8.0, 40.0, 50.0]]), "labels": torch.tensor([1])},
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
]


def faster_rcnn() -> nn.Module:
    backbone = build("DARTS_V2", "imagenet", out_indices=(1, 2, 3, 4), **SMALL)
    return FasterRCNN(PyramidBackbone(backbone, 8), 3, min_size=64, max_size=64)  # type: ignore[no-any-return]


def one_stage(builder: Any) -> nn.Module:
    backbone = build("DARTS_V2", "imagenet", out_indices=(2, 3, 4), **SMALL)
    pyramid = PyramidBackbone(backbone, 32, LastLevelP6P7(32, 32))
    return builder(pyramid, 3, min_size=64, max_size=64)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "detector",
    [faster_rcnn, lambda: one_stage(RetinaNet), lambda: one_stage(FCOS)],
    ids=["FasterRCNN", "RetinaNet", "FCOS"],
)
def test_torchvisions_detectors_train_and_detect(detector: Any) -> None:
    torch.manual_seed(0)
    network = detector()
    images = list(random_images(2, 3, 64, 64))
    losses = network.train()(images, TARGETS)
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in network.backbone.parameters())
    detections = network.eval()(images)
    assert [set(found) for found in detections] == [{"boxes", "scores", "labels"}] * 2


def test_the_pyramid_has_the_sizes_of_the_maps_and_one_of_half_the_last() -> None:
    backbone = build("RelativeNAS", "imagenet", out_indices=(1, 2, 3, 4), **SMALL)
    maps = PyramidBackbone(backbone, 8)(random_images(1, 3, 64, 96))
    assert [tuple(x.shape) for x in maps.values()] == [
        (1, 8, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ] + [(1, 8, 1, 2)]
