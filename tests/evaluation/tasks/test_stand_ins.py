"""Networks of torchvision, as in the paper's tables, in the networks of the tasks."""

from __future__ import annotations

import pytest
import torch

from relativenas_optuna.evaluation import BiSeNet, SimpleBaseline, SSDLite
from tests.helpers.task_networks import STAND_INS


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


@pytest.mark.slow
@pytest.mark.parametrize("task", EXPECTED)
@pytest.mark.parametrize("name", STAND_INS)
def test_every_network_stands_in_for_every_task(task: str, name: str) -> None:
    assert shapes(task, name) == EXPECTED[task]
