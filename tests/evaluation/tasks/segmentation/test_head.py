"""BiSeNet: the published counts, the sizes of its outputs, training."""

from __future__ import annotations

import pytest
import torch

from relativenas_optuna.evaluation import BiSeNet
from tests.helpers.networks import random_images
from tests.helpers.task_networks import (
    multiply_adds,
    parameters,
    small_backbone,
    without_gradient,
)


def test_the_published_network_has_its_counts() -> None:
    with torch.device("meta"):
        network = BiSeNet("RelativeNAS")
        images = torch.empty(2, 3, 1024, 1024)
    assert parameters(network) == 6_944_645
    assert multiply_adds(network.train(), images) == pytest.approx(35.35e9, rel=0.01)


@pytest.mark.parametrize("size", [(64, 96), (65, 47)])
def test_logits_have_the_size_of_the_images(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = BiSeNet(small_backbone(3, 4), num_classes=5)
    images = random_images(2, 3, *size)
    outputs = network(images)
    assert [tuple(x.shape) for x in outputs] == [(2, 5, *size)] * 3
    sum(x.square().mean() for x in outputs).backward()
    assert without_gradient(network) == []
    assert network.eval()(images).shape == (2, 5, *size)


def test_the_initialisation_leaves_the_weights_of_the_backbone() -> None:
    backbone = small_backbone(3, 4)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    network = BiSeNet(backbone, num_classes=2)
    after = network.backbone.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_channel_weights_scale_whole_maps() -> None:
    """The attention of a map and the fusion multiply each channel by one number."""
    network = BiSeNet(small_backbone(3, 4), num_classes=2).eval()
    attention, fusion = network.attention16, network.fusion
    maps = random_images(1, attention.convolution[0].in_channels, 6, 5)
    ratio = attention(maps) / attention.convolution(maps)
    seen = ratio[attention.convolution(maps) > 0]
    assert 0 < seen.min() < seen.max() < 1
    x = random_images(1, 256, 6, 5)
    hidden = fusion.convolution(x)
    weights = (fusion(x) / hidden - 1).nan_to_num(0).amax((2, 3), keepdim=True)
    torch.testing.assert_close(fusion(x), hidden * (1 + weights))


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="num_classes must be a whole number of at least 1, got 0"):
        BiSeNet(small_backbone(3, 4), num_classes=0)


@pytest.mark.slow
def test_it_can_be_exported() -> None:
    network = BiSeNet(small_backbone(3, 4), num_classes=3).eval()
    images = random_images(2, 3, 64, 96)
    exported = torch.export.export(network, (images,)).module()
    torch.testing.assert_close(exported(images), network(images))
