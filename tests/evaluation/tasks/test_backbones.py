"""Backbones of the task networks, by name, from torchvision and from timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision.models import get_model
from torchvision.models.feature_extraction import create_feature_extractor

from relativenas_optuna.evaluation import TorchvisionBackbone
from relativenas_optuna.evaluation.tasks.backbones import maps_at, torchvision_names
from relativenas_optuna.networks import build
from relativenas_optuna.spaces import CellSpace
from tests.helpers.networks import random_images
from tests.helpers.task_networks import STAND_INS

# Names of torchvision's own nodes: the last output of each stride.
NODES = {
    "mobilenet_v2": ("features.1", "features.3", "features.6", "features.13", "features.18"),
    "mobilenet_v3_small": ("features.0", "features.1", "features.3", "features.8", "features.12"),
    "mnasnet0_5": ("layers.7", "layers.8", "layers.9", "layers.11", "layers.16"),
    "shufflenet_v2_x0_5": ("conv1", "maxpool", "stage2", "stage3", "conv5"),
    "resnet18": ("relu", "layer1", "layer2", "layer3", "layer4"),
}


@pytest.mark.parametrize("name", NODES)
def test_the_maps_are_those_of_torchvisions_feature_extractor(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = get_model(name).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    images = random_images(1, 3, 64, 96)
    backbone = TorchvisionBackbone(name, weights=tmp_path / "weights.pt").eval()
    expected = create_feature_extractor(network, list(NODES[name]))(images).values()
    maps = backbone(images)
    assert all(torch.equal(x, y) for x, y in zip(maps, expected, strict=True))
    assert backbone.feature_info.reduction() == [2, 4, 8, 16, 32]
    assert backbone.feature_info.channels() == [x.shape[1] for x in maps]


def test_layers_after_the_last_map_are_left_out() -> None:
    backbone = TorchvisionBackbone("mobilenet_v2", out_indices=(1, 3))
    maps = backbone(random_images(2, 3, 32, 32))
    assert [x.shape[1] for x in maps] == backbone.feature_info.channels() == [24, 96]
    sum(x.sum() for x in maps).backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@pytest.mark.parametrize("name", STAND_INS)
def test_networks_of_the_papers_tables_are_known(name: str) -> None:
    assert name in torchvision_names()


def test_no_other_kind_of_network_is_known() -> None:
    known = ("mobilenet", "mnasnet", "shufflenet", "resnet", "resnext", "wide_resnet")
    assert all(name.startswith(known) for name in torchvision_names())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(get_model("shufflenet_v2_x1_0").state_dict(), tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"w\.pt' is of another network: conv1\.weight is"):
        TorchvisionBackbone("resnet18", weights=tmp_path / "w.pt")
    with pytest.raises(ValueError, match="IMAGENET1K_V9"):
        TorchvisionBackbone("resnet18", weights="IMAGENET1K_V9")


def test_names_genotypes_and_backbones_are_taken() -> None:
    genotype = CellSpace(nodes=2).random(np.random.default_rng(0))
    with torch.device("meta"):
        for architecture, channels in (
            ("RelativeNAS", (368, 736)),
            (genotype, (184, 368)),
            ("mobilenet_v2", (96, 1280)),
            (build("DARTS_V2", "imagenet", channels=6, features_only=True), (48, 96)),
            (timm.create_model("resnet18", features_only=True), (256, 512)),
        ):
            found = maps_at((16, 32), architecture)
            assert found.channels == channels
            maps = found.backbone.eval()(torch.empty(1, 3, 64, 64))
            chosen = [tuple(maps[index].shape[1:]) for index in found.indices]
            assert chosen == [(channels[0], 4, 4), (channels[1], 2, 2)]


@pytest.mark.parametrize(
    ("architecture", "error", "reason"),
    [
        ("DARTS_V9", ValueError, r"architecture must be a published cell \(RelativeNAS, "),
        ("vgg11", ValueError, "architecture must be a published cell"),
        (3, TypeError, "architecture must be a genotype, a name or a backbone, got 3"),
        (nn.Identity(), ValueError, "a backbone must have feature_info"),
    ],
)
def test_what_is_no_backbone_is_refused(
    architecture: Any, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        maps_at((16, 32), architecture)


def test_a_backbone_without_a_map_is_refused() -> None:
    small = build("DARTS_V1", "cifar10", channels=2, cells=3, features_only=True)
    with pytest.raises(ValueError, match=r"has none at 16, only at 1, 2, 4: build it for"):
        maps_at((16, 32), small)
    with pytest.raises(ValueError, match="name must be one of mnasnet0_5"):
        TorchvisionBackbone("vgg11")
