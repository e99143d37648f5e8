"""SimpleBaseline: the published counts, the sizes of its heat maps, training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from relativenas_optuna.evaluation import SimpleBaseline
from tests.helpers.networks import random_images
from tests.helpers.task_networks import (
    multiply_adds,
    parameters,
    small_backbone,
    without_gradient,
)


def test_the_published_network_has_its_counts() -> None:
    with torch.device("meta"):
        network = SimpleBaseline("RelativeNAS").eval()
        images = torch.empty(1, 3, 256, 192)
        heatmaps = network.heatmaps, torch.empty(1, 256, 64, 48)
    assert parameters(network) == 9_430_742
    counted = multiply_adds(network.backbone, images) + multiply_adds(*heatmaps)
    assert counted == pytest.approx(564.2e6, rel=0.01)


def test_the_network_of_xiao_et_al_has_its_34_million_parameters() -> None:
    """An independent figure: ResNet-50 in the paper of SimpleBaseline."""
    with torch.device("meta"):
        assert parameters(SimpleBaseline("resnet50")) == pytest.approx(34.0e6, abs=0.05e6)


def test_heat_maps_have_a_quarter_of_the_size() -> None:
    network = SimpleBaseline(small_backbone(4), num_keypoints=3)
    heatmaps = network(random_images(2, 3, 64, 96))
    assert heatmaps.shape == (2, 3, 16, 24)
    heatmaps.square().mean().backward()
    assert without_gradient(network) == []


def test_a_transposed_convolution_doubles_the_size_as_its_definition_says() -> None:
    """With one pixel at (1, 2), the 4x4 kernel is laid at (2 - 1, 4 - 1)."""
    layer = SimpleBaseline(small_backbone(4)).deconvolutions[3]
    assert isinstance(layer, nn.ConvTranspose2d)
    x = torch.zeros(1, 256, 3, 4)
    x[0, 5, 1, 2] = 1
    expected = torch.zeros(256, 6, 8)
    expected[:, 1:5, 3:7] = layer.weight[5]
    torch.testing.assert_close(layer(x)[0], expected)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="num_keypoints must be a whole number of at least 1"):
        SimpleBaseline(small_backbone(4), num_keypoints=0)
    with pytest.raises(ValueError, match="mirrored must hold each index from 0 to 2 once, got"):
        SimpleBaseline(small_backbone(4), num_keypoints=3, mirrored=[0, 2, 2])


@pytest.mark.slow
def test_it_can_be_exported() -> None:
    network = SimpleBaseline(small_backbone(4)).eval()
    images = random_images(2, 3, 64, 96)
    exported = torch.export.export(network, (images,)).module()
    torch.testing.assert_close(exported(images), network(images))
