"""Networks of torchvision, as in the paper's tables, in the networks of the tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision import models

from relativenas_optuna.evaluation import BiSeNet, SimpleBaseline, SSDLite
from relativenas_optuna.evaluation.tasks.backbones import torchvision_genotype
from relativenas_optuna.evaluation.tasks.network import task_network
from relativenas_optuna.evaluation.tasks.segmentation.task import SEGMENTATION
from relativenas_optuna.networks.io.network_file import read_weights
from relativenas_optuna.spaces import published
from tests.helpers.task_networks import STAND_INS
from tests.helpers.tiny_search import same_bits


def shapes(task: str, name: str) -> list[tuple[int, ...]]:
    """Return the shapes of what a network gives for a batch of two."""
    with torch.device("meta"):
        if task == "detection":
            outputs = SSDLite(name).raw_outputs()(torch.empty(2, 3, 320, 320))
        elif task == "segmentation":
            outputs = BiSeNet(name)(torch.empty(2, 3, 128, 256))
        else:
            outputs = [SimpleBaseline(name)(torch.empty(2, 3, 256, 192))]
    return [tuple(x.shape) for x in outputs]


EXPECTED = {
    "detection": [(2, 3_234, 21), (2, 3_234, 4)],
    "segmentation": [(2, 19, 128, 256)] * 3,
    "keypoints": [(2, 17, 64, 48)],
}


@pytest.mark.parametrize(("task", "name"), [*zip(EXPECTED, STAND_INS, strict=False)])
def test_a_network_stands_in(task: str, name: str) -> None:
    assert shapes(task, name) == EXPECTED[task]


def test_its_initial_weights_follow_from_the_seed_or_from_a_file(tmp_path: Path) -> None:
    name = "shufflenet_v2_x0_5"
    genotype = torchvision_genotype(name)
    assert genotype is not None
    assert torchvision_genotype("RelativeNAS") is None
    recipe, classes = SEGMENTATION.recipe, ("road", "sky")
    before = torch.random.get_rng_state()
    one, same, other = (
        task_network(SEGMENTATION, genotype, recipe, classes, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_bits(one.state_dict(), same.state_dict())
    assert not same_bits(one.state_dict(), other.state_dict())

    trained = models.get_model(name)
    torch.save(trained.state_dict(), tmp_path / "trained.pt")
    stored = read_weights(tmp_path / "trained.pt")
    started = task_network(SEGMENTATION, genotype, recipe, classes, seed=1, backbone=stored)
    weight = started.state_dict()["backbone.layers.0.0.weight"]
    assert torch.equal(weight, trained.state_dict()["conv1.0.weight"])
    with pytest.raises(ValueError, match="is of another network"):
        task_network(
            SEGMENTATION, published("RelativeNAS"), recipe, classes, seed=1, backbone=stored
        )


@pytest.mark.slow
@pytest.mark.parametrize("task", EXPECTED)
@pytest.mark.parametrize("name", STAND_INS)
def test_every_network_stands_in_for_every_task(task: str, name: str) -> None:
    assert shapes(task, name) == EXPECTED[task]
