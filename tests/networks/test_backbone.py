"""`build(..., features_only=True)`: the maps of every kind of network, and what is pruned."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from relativenas_optuna.networks import (
    Backbone,
    FeatureMapNetwork,
    NetworkDescription,
    build,
    save_network,
)
from relativenas_optuna.networks.feature_maps import take_indices
from relativenas_optuna.spaces import PUBLISHED, CellSpace, SpaceGenotype
from tests.helpers.networks import random_images

NASBENCH201 = SpaceGenotype(
    "nasbench201",
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|",
)
FOUND = CellSpace(nodes=3).random(np.random.default_rng(1))
KINDS: dict[str, tuple[Any, str, int]] = {
    "imagenet": ("RelativeNAS", "imagenet", 6),
    "partial concat": ("NASNet_A", "imagenet", 3),
    "two cells": ("DARTS_V1", "imagenet", 2),
    "one cell": ("DARTS_V1", "imagenet", 1),
    "pool norm": ("MIGO-NAS-1", "cifar10", 4),
    "found": (FOUND, "cifar100", 3),
    "one cifar cell": (FOUND, "cifar10", 1),
    "nasbench201": (NASBENCH201, "cifar10", 8),
}


def small(kind: str, **more: Any) -> Any:
    genotype, dataset, cells = KINDS[kind]
    torch.manual_seed(0)
    return build(genotype, dataset, channels=4, cells=cells, **more)


def hooked(network: FeatureMapNetwork, images: Tensor) -> dict[str, Tensor]:
    """Run a network's `forward` and return the output of every module by name."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: outputs.__setitem__(name, output.clone())

    hooks = [m.register_forward_hook(keep(name)) for name, m in network.named_modules()]
    network(images)
    for hook in hooks:
        hook.remove()
    return outputs


def test_the_published_network_has_the_maps_of_the_paper() -> None:
    with torch.device("meta"):
        backbone = build("RelativeNAS", "imagenet", features_only=True)
        maps = backbone(torch.empty(1, 3, 224, 224))
    assert backbone.feature_info.reduction() == [2, 4, 8, 16, 32]
    assert backbone.feature_info.channels() == [23, 46, 184, 368, 736]
    assert backbone.feature_info.module_name()[2:] == ["cells.3", "cells.8", "cells.13"]
    assert [tuple(x.shape[1:]) for x in maps[2:]] == [(184, 28, 28), (368, 14, 14), (736, 7, 7)]
    # The network without its classifier.
    assert sum(p.numel() for p in backbone.parameters()) == 5_050_029 - 737_000


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_cell_has_maps_at_five_strides(name: str) -> None:
    with torch.device("meta"):
        backbone = build(name, "imagenet", channels=4, cells=3, features_only=True)
        maps = backbone(torch.empty(1, 3, 64, 64))
    assert backbone.feature_info.reduction() == [2, 4, 8, 16, 32]
    assert [x.shape[1] for x in maps] == backbone.feature_info.channels()


@pytest.mark.parametrize("kind", KINDS)
def test_the_maps_are_what_the_modules_give_in_the_whole_network(kind: str) -> None:
    network = small(kind).eval()
    images = random_images(2, 3, 64, 96)
    outputs = hooked(network, images)
    final, maps = network.forward_intermediates(images)
    for info, x in zip(network.feature_info, maps, strict=True):
        # The hooks see the halves of the first stem as one module.
        expected = outputs[info["module"]] if info["module"] != "stem0" else None
        if expected is not None:
            assert torch.equal(x, expected)
        assert x.shape[1] == info["num_chs"]
    assert torch.equal(network.forward_head(final), network(images))
    assert torch.equal(network.forward_features(images), final)
    backbone = small(kind, features_only=True).eval()
    assert all(torch.equal(x, y) for x, y in zip(backbone(images), maps, strict=True))


def test_the_map_of_the_first_stem_is_its_output() -> None:
    network = small("imagenet").eval()
    images = random_images(2, 3, 64, 64)
    (quarter,) = network.forward_intermediates(images, indices=[1], intermediates_only=True)
    assert torch.equal(quarter, network.stem0(images))


@pytest.mark.parametrize("kind", KINDS)
def test_each_map_is_the_last_one_of_its_stride(kind: str) -> None:
    network = small(kind).eval()
    outputs = hooked(network, random_images(1, 3, 64, 64))
    parts = [name for name in outputs if name.count(".") == 1 and name.startswith("cells")]
    last = {64 // outputs[name].shape[-1]: name for name in parts}
    listed = {info["reduction"]: info["module"] for info in network.feature_info}
    assert {stride: listed[stride] for stride in last} == last


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(["partial concat", "found", "nasbench201"]),
    height=st.integers(32, 67),
    width=st.integers(32, 67),
)
def test_sizes_are_rounded_up(kind: str, height: int, width: int) -> None:
    backbone = small(kind, features_only=True).eval()
    maps = backbone(random_images(1, 3, height, width))
    assert [tuple(x.shape[2:]) for x in maps] == [
        (math.ceil(height / r), math.ceil(width / r)) for r in backbone.feature_info.reduction()
    ]


@pytest.mark.parametrize("kind", ["imagenet", "one cell", "found", "nasbench201"])
def test_a_backbone_keeps_no_layer_that_its_maps_do_not_need(kind: str) -> None:
    network = small(kind)
    count = len(network.feature_info)
    images = random_images(2, 3, 64, 64)
    network(images).sum().backward()
    # The published cell never reads the older input of its reduction cells.
    unread = {f"network.{n}" for n, p in network.named_parameters() if p.grad is None}
    whole = small(kind, features_only=True)(images)
    for last in range(count):
        backbone = small(kind, features_only=True, out_indices=[last])
        (x,) = backbone(images)
        torch.testing.assert_close(x, whole[last])
        x.sum().backward()
        assert {n for n, p in backbone.named_parameters() if p.grad is None} <= unread
        assert backbone.feature_info.channels() == [x.shape[1]]


@pytest.mark.parametrize("kind", ["imagenet", "nasbench201"])
def test_indices_choose_maps(kind: str) -> None:
    network = small(kind).eval()
    images = random_images(1, 3, 32, 32)
    _, maps = network.forward_intermediates(images)
    for indices, chosen in ((2, maps[-2:]), ((0, -1), [maps[0], maps[-1]]), ([1], maps[1:2])):
        found = network.forward_intermediates(images, indices=indices, intermediates_only=True)
        assert all(torch.equal(x, y) for x, y in zip(found, chosen, strict=True))
    backbone = small(kind, features_only=True, out_indices=(-2, -1)).eval()
    assert len(backbone(images)) == len(backbone.feature_info.channels()) == 2


def test_no_cell_after_the_last_map_runs() -> None:
    network = small("imagenet").eval()
    network.cells[-1] = nn.Identity()  # fails with the two inputs of a cell
    images = random_images(1, 3, 32, 32)
    network.forward_intermediates(images, indices=(1, 3), intermediates_only=True)
    network.forward_intermediates(images, indices=(1, 3), stop_early=True)
    with pytest.raises(TypeError):
        network.forward_intermediates(images, indices=(1, 3))


def test_norm_gives_the_last_map_of_nasbench201_as_the_pooling_reads_it() -> None:
    network = small("nasbench201").eval()
    images = random_images(2, 3, 16, 16)
    plain = network.forward_intermediates(images, intermediates_only=True)
    final, normalised = network.forward_intermediates(images, norm=True)
    assert torch.equal(normalised[-1], final)
    assert torch.equal(network.lastact(plain[-1]), final)
    assert torch.equal(plain[0], normalised[0])


@pytest.mark.parametrize("indices", [6, 0, (), (0, 0), (2, 1), (-6,), (0, 5)])
def test_indices_out_of_range_or_order_are_refused(indices: Any) -> None:
    with pytest.raises(ValueError, match=r"indices must be .* 4 .*got|from 1 to 5, got") as caught:
        take_indices(5, indices)
    assert str(indices if isinstance(indices, int) else list(indices)) in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"auxiliary": True}, "has no classifier: leave auxiliary out, got True"),
        ({"num_classes": 5}, "has no classifier: leave num_classes out, got 5"),
        ({"out_indices": (9,)}, "indices must be in increasing order, from 0 to 4"),
        ({"features_only": False, "out_indices": (1,)}, "out_indices needs features_only=True"),
    ],
)
def test_arguments_without_meaning_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        small("imagenet", **{"features_only": True} | settings)


def test_another_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="output_fmt must be 'NCHW', got 'NLC'"):
        small("found").forward_intermediates(random_images(1, 3, 8, 8), output_fmt="NLC")


def test_the_classifier_can_be_replaced_as_in_timm() -> None:
    network = small("found", auxiliary=True)
    network.reset_classifier(7)
    assert network(random_images(2, 3, 8, 8)).shape == (2, 7)
    assert network.get_classifier().out_features == network.num_classes == 7
    network.reset_classifier(0)
    images = random_images(2, 3, 8, 8)
    pooled = network.forward_head(network.forward_features(images), pre_logits=True)
    assert pooled.shape == (2, network.num_features)
    with pytest.raises(ValueError, match="global_pool must be 'avg', got 'max'"):
        network.reset_classifier(3, "max")


def test_a_backbone_has_the_weights_of_a_file_whatever_its_classes(tmp_path: Path) -> None:
    described = NetworkDescription(
        genotype=FOUND, dataset="imagenet", channels=4, cells=3, in_channels=2,
        classes=("a", "b"), auxiliary=True, mean=(0.1, 0.2), std=(1.0, 1.0), size=(64, 64),
    )  # fmt: skip
    network = described.build()
    path = save_network(tmp_path / "a.safetensors", network, described)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone = build(FOUND, "imagenet", weights=path, features_only=True)
    images = random_images(1, 2, 32, 32)
    final, _ = network.eval().forward_intermediates(images)
    assert torch.equal(backbone.eval()(images)[-1], final)


@pytest.mark.slow
def test_a_backbone_can_be_exported() -> None:
    backbone = small("imagenet", features_only=True, out_indices=(3, 4)).eval()
    images = random_images(2, 3, 64, 64)
    exported = torch.export.export(backbone, (images,)).module()
    for x, y in zip(exported(images), backbone(images), strict=True):
        torch.testing.assert_close(x, y)


def test_a_classifier_of_timm_becomes_a_backbone_too() -> None:
    classifier = timm.create_model("resnet10t")
    backbone = Backbone(classifier, (2, -1)).eval()
    theirs = timm.create_model("resnet10t", features_only=True, out_indices=(2, 4)).eval()
    theirs.load_state_dict(backbone.network.state_dict(), strict=False)
    images = random_images(1, 3, 64, 64)
    for x, y in zip(backbone(images), theirs(images), strict=True):
        torch.testing.assert_close(x, y)
    assert backbone.feature_info.channels() == theirs.feature_info.channels()


class Plain(nn.Module):
    """A network of somebody else, without maps."""


def test_a_network_without_maps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from relativenas_optuna.networks import build_network

    monkeypatch.setattr(build_network, "any_network", lambda *_args, **_settings: Plain())
    with pytest.raises(ValueError, match="Plain lacks feature_info, forward_intermediates"):
        build(NASBENCH201, features_only=True)
