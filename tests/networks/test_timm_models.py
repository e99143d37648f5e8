"""Networks as models of timm and as encoders of Segmentation Models PyTorch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import timm
import torch

from relativenas_optuna import register_with_timm
from relativenas_optuna.networks import NetworkDescription, build, save_network
from relativenas_optuna.spaces import PUBLISHED, published
from tests.helpers.networks import random_images
from tests.helpers.tiny_search import same_bits
from tests.networks.test_backbone import FOUND, NASBENCH201

SMALL: dict[str, Any] = {"channels": 4, "cells": 3}


@pytest.fixture(scope="module", autouse=True)
def published_names() -> tuple[str, ...]:
    register_with_timm("relativenas_small", "DARTS_V1", **SMALL)
    register_with_timm("relativenas_found", FOUND, "cifar10", **SMALL)
    register_with_timm("relativenas_nb201", NASBENCH201, "cifar10", channels=4, cells=5)
    return register_with_timm()


@pytest.mark.slow
def test_every_published_cell_is_a_model(published_names: tuple[str, ...]) -> None:
    assert len(published_names) == len(PUBLISHED)
    assert published_names[:2] == ("relativenas_imagenet", "relativenas_darts_v1_imagenet")
    assert set(published_names) <= set(timm.list_models("relativenas_*"))
    assert register_with_timm() == published_names


@pytest.mark.slow
def test_the_published_model_is_the_published_network() -> None:
    with torch.device("meta"):
        model = timm.create_model("relativenas_imagenet")
        features = timm.create_model("relativenas_imagenet", features_only=True)
    assert sum(p.numel() for p in model.parameters()) == 5_050_029
    assert features.feature_info.channels() == [23, 46, 184, 368, 736]
    assert features.feature_info.reduction() == [2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("relativenas_small", ("DARTS_V1", "imagenet", 3)),
        ("relativenas_found", (FOUND, "cifar10", 3)),
        ("relativenas_nb201", (NASBENCH201, "cifar10", 5)),
    ],
)
@pytest.mark.parametrize("out_indices", [None, (-2, -1), (1,)])
def test_timms_maps_are_those_of_build(name: str, arguments: Any, out_indices: Any) -> None:
    genotype, dataset, cells = arguments
    chosen = {"features_only": True, "out_indices": out_indices}
    ours = build(genotype, dataset, channels=4, cells=cells, **chosen).eval()
    theirs = timm.create_model(name, **chosen).eval()
    theirs.model.load_state_dict(ours.network.state_dict())
    images = random_images(2, 3, 64, 64)
    assert all(torch.equal(x, y) for x, y in zip(ours(images), theirs(images), strict=True))
    for method in ("channels", "reduction", "module_name"):
        values = [getattr(of.feature_info, method)() for of in (ours, theirs)]
        assert values[0] == values[1]
    assert ours.feature_info.get_dicts() == theirs.feature_info.get_dicts()
    assert len(ours.feature_info) == len(theirs.feature_info)
    assert ours.feature_info.channels(0) == theirs.feature_info.channels(0)


def test_classes_and_channels_of_images_are_those_that_are_asked_for() -> None:
    model = timm.create_model("relativenas_small", num_classes=4, in_chans=1)
    assert model(random_images(2, 1, 32, 32)).shape == (2, 4)
    headless = timm.create_model("relativenas_small", num_classes=0)
    assert headless(random_images(2, 3, 32, 32)).shape == (2, headless.num_features)


def test_trained_weights_are_loaded_when_pretrained_is_true(tmp_path: Path) -> None:
    described = NetworkDescription(
        genotype=FOUND, dataset="cifar10", channels=4, cells=3, in_channels=3,
        classes=("a", "b"), auxiliary=True, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 2.0),
        size=(24, 16),
    )  # fmt: skip
    network = described.build()
    path = save_network(tmp_path / "a.safetensors", network, described)
    register_with_timm("relativenas_trained", FOUND, weights=path)
    model = timm.create_model("relativenas_trained", pretrained=True)
    kept = {n: t for n, t in network.state_dict().items() if not n.startswith("auxiliary")}
    assert same_bits(model.state_dict(), kept)
    data = timm.data.resolve_model_data_config(model)
    assert (data["mean"], data["std"]) == (described.mean, described.std)
    assert data["input_size"] == (3, 24, 16)
    encoder = smp.encoders.get_encoder("tu-relativenas_trained", depth=2, weights=True)
    assert same_bits(encoder.model.model.cells.state_dict(), network.cells.state_dict())
    overlay = {"pretrained_cfg_overlay": {"file": str(path), "num_classes": 2}}
    again = timm.create_model("relativenas_found", pretrained=True, **overlay)
    assert same_bits(again.state_dict(), kept)
    with pytest.raises(ValueError, match="is of another network"):
        timm.create_model("relativenas_small", pretrained=True, **overlay)


def test_a_model_without_weights_says_so() -> None:
    with pytest.raises(ValueError, match="relativenas_small has no pretrained weights: register"):
        timm.create_model("relativenas_small", pretrained=True)


@pytest.mark.parametrize("decoder", [smp.Unet, smp.FPN, smp.UPerNet])
def test_segmentation_models_take_the_encoder(decoder: Any) -> None:
    network = decoder("tu-relativenas_small", encoder_weights=None, classes=4)
    masks = network(random_images(2, 3, 64, 64))
    assert masks.shape == (2, 4, 64, 64)
    masks.sum().backward()
    assert all(parameter.grad is not None for parameter in network.encoder.parameters())


@pytest.mark.parametrize("name", ["relativenas_found", "relativenas_nb201"])
def test_segmentation_models_take_networks_for_small_images(name: str) -> None:
    network = smp.Unet(
        f"tu-{name}", encoder_weights=None, encoder_depth=2, decoder_channels=(8, 4), classes=3
    )
    assert network(random_images(1, 3, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("relativenas_x",), "name and genotype_or_name must be given together"),
        (("resnet18", "RelativeNAS"), "name must be 'relativenas_' and then lower-case"),
        (("relativenas_X", "RelativeNAS"), "name must be 'relativenas_' and then lower-case"),
        (("relativenas_x", "DARTS_V9"), "name must be one of RelativeNAS"),
        (("relativenas_x", "RelativeNAS", "mnist"), "dataset must be one of cifar10"),
        (("relativenas_x", NASBENCH201), "take the family cifar"),
    ],
)
def test_bad_registrations_are_refused(arguments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        register_with_timm(*arguments)
    assert "relativenas_x" not in timm.list_models("relativenas_*")


def test_without_timm_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"pip install 'relativenas-optuna\[timm\]'"):
        register_with_timm("relativenas_x", published("DARTS_V1"))
