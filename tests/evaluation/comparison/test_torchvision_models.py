"""Test torchvision's networks as architectures of a space."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from relativenas_optuna.evaluation.comparison.rivals import rivals
from relativenas_optuna.evaluation.comparison.torchvision_models import (
    TORCHVISION,
    TORCHVISION_SPACE,
    TorchvisionModels,
    check_takes,
    names,
    torchvision_genotype,
    torchvision_network,
)
from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.evaluation.standalone.setup import new_network
from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.networks.network_cost import cost
from relativenas_optuna.spaces.registry import NetworkSizes, load_space
from relativenas_optuna.spaces.space_genotype import genotype_from_json

SMALL_IMAGES = (3, 32, 32)


def sizes(*, in_channels: int = 3, num_classes: int = 10) -> NetworkSizes:
    return NetworkSizes(channels=1, cells=1, in_channels=in_channels, num_classes=num_classes)


def test_a_network_is_that_of_torchvision_with_its_initial_weights() -> None:
    torch.manual_seed(3)
    expected = get_model("resnet18", num_classes=7).state_dict()
    network = new_network(
        torchvision_genotype("resnet18"), Recipe(auxiliary=0.0), in_channels=3, classes=7, seed=3
    )
    assert all(torch.equal(tensor, expected[n]) for n, tensor in network.state_dict().items())
    assert network.state_dict().keys() == expected.keys()


@pytest.mark.parametrize(
    ("name", "before"), [("resnet18", 4), ("mobilenet_v3_small", 2), ("densenet121", 4)]
)
def test_a_small_stem_keeps_the_size_of_the_image(name: str, before: int) -> None:
    """torchvision's network computes the same of an image that its stem reduces to that size."""
    with torch.device("meta"):
        usual, small = (torchvision_network(name + stem, sizes()) for stem in ("", ", small stem"))

    def of_body(network: nn.Module, side: int) -> int:
        stem = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
        of_stem = 0

        def after(_module: nn.Module, _images: object, output: torch.Tensor) -> None:
            nonlocal of_stem
            of_stem = output[0].numel() * stem.weight[0].numel()

        with stem.register_forward_hook(after) as _:
            return cost(network, (3, side, side)).multiply_adds - of_stem

    assert of_body(small, 16) == of_body(usual, 16 * before)


def test_images_may_have_any_number_of_channels() -> None:
    network = torchvision_network("mobilenet_v3_small", sizes(in_channels=1, num_classes=3)).eval()
    assert network(torch.zeros(2, 1, 16, 16)).shape == (2, 3)


def test_batch_norms_have_a_momentum_for_short_trainings() -> None:
    with torch.device("meta"):
        network = torchvision_network("mnasnet0_5", sizes())
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}


def test_the_space_reads_its_texts_and_cannot_be_searched() -> None:
    space = TorchvisionModels()
    (distribution,) = space.distributions.values()
    assert len(distribution.choices) == 2 * len(names())  # type: ignore[attr-defined]
    genotype = torchvision_genotype("vgg11", small_stem=True)
    assert genotype_from_json(genotype.to_json()) == genotype
    assert load_space(TORCHVISION_SPACE) == TORCHVISION
    assert space.genotype(space.params(genotype.value)) == space.text(genotype.value)
    with pytest.raises(SpaceError, match="share no weights"):
        TORCHVISION.build_supernet(space, sizes())


@pytest.mark.parametrize(("name", "near"), [("resnet81", "resnet18"), ("mobilnet", "mobilenet_v2")])
def test_an_unknown_name_is_refused_with_similar_ones(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"such as .*{near}.*; got '{name}'"):
        rivals([name], stem=None, shape=SMALL_IMAGES)


@pytest.mark.parametrize("name", ["alexnet", "vit_b_32"])
def test_images_that_a_network_does_not_take_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} does not take images of 32x16") as refusal:
        check_takes(torchvision_genotype(name), (3, 16, 32))
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("stem", "side", "texts"),
    [
        (None, 32, ["resnet18", "resnet18, small stem", "vgg11"]),
        (None, 64, ["resnet18", "vgg11"]),
        ("torchvision", 32, ["resnet18", "vgg11"]),
        ("both", 64, ["resnet18", "resnet18, small stem", "vgg11"]),
    ],
)
def test_small_images_add_networks_with_a_small_stem(
    stem: str | None, side: int, texts: list[str]
) -> None:
    found = rivals(["resnet18", "vgg11", "resnet18"], stem=stem, shape=(3, side, side))
    assert [one.name for one in found] == texts
    assert [one.optional for one in found] == [stem is None and "," in t for t in texts]


def test_a_stem_that_is_small_already_is_refused() -> None:
    assert [one.name for one in rivals(["resnet18"], stem="small", shape=SMALL_IMAGES)] == [
        "resnet18, small stem"
    ]
    with pytest.raises(ValueError, match="stem must be torchvision for vgg11"):
        rivals(["vgg11"], stem="small", shape=SMALL_IMAGES)
