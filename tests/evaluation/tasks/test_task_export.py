"""Test that the networks of all built-in tasks are stored and exported with equal outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from relativenas_optuna.evaluation import open_network
from relativenas_optuna.evaluation.exporting.export import export
from relativenas_optuna.evaluation.tasks.network import save_task_network, task_network
from relativenas_optuna.evaluation.tasks.registry import load_task
from relativenas_optuna.exceptions import TaskError
from relativenas_optuna.networks import NetworkDescription
from relativenas_optuna.spaces import published
from tests.helpers.tiny_search import same_bits

GENOTYPE = published("RelativeNAS")
CLASSES = ("left_eye", "right_eye")
OUTPUTS = {
    "detection": ["scores", "boxes"],
    "keypoints": ["heatmaps"],
    "segmentation": ["logits"],
}


def described(name: str) -> NetworkDescription:
    return NetworkDescription(
        genotype=GENOTYPE,
        dataset="imagenet",
        channels=4,
        cells=3,
        in_channels=3,
        classes=CLASSES,
        auxiliary=False,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
        size=(96, 64) if name == "keypoints" else (96, 96),
        task=name,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_network_is_stored_and_exported_with_equal_outputs(name: str, tmp_path: Path) -> None:
    task = load_task(name)
    recipe = replace(task.recipe, channels=4, cells=3)
    network = task_network(task, GENOTYPE, recipe, CLASSES, seed=1)
    save_task_network(tmp_path / "network.safetensors", network, described(name))
    opened, description, _ = open_network(tmp_path / "network.safetensors", GENOTYPE)
    assert description == described(name)
    assert same_bits(opened.state_dict(), network.state_dict())
    # `export` loads each file again, by onnxruntime for ONNX, and compares all outputs.
    written = list(export(opened, description, ("safetensors", "onnx", "torch"), tmp_path / "out"))
    for one in written:
        assert list(one.outputs) == OUTPUTS[name]
        assert one.difference <= one.bound
    assert written[0].difference == 0


def test_a_file_of_an_unknown_task_is_refused_in_one_line(tmp_path: Path) -> None:
    task = load_task("segmentation")
    recipe = replace(task.recipe, channels=4, cells=3)
    network = task_network(task, GENOTYPE, recipe, CLASSES, seed=1)
    path = tmp_path / "network.safetensors"
    save_task_network(path, network, described("segmentation"))
    content = path.read_bytes()
    # The name of the task occurs once, in the description.
    assert content.count(b"segmentation") == 1
    path.write_bytes(content.replace(b"segmentation", b"segmentatiox"))
    with pytest.raises(TaskError, match=r"task must be one of classification, .*'segmentatiox'"):
        open_network(path, GENOTYPE)


def test_the_state_of_the_global_generator_stays(tmp_path: Path) -> None:
    task = load_task("segmentation")
    before = torch.random.get_rng_state()
    one, other = (
        task_network(task, GENOTYPE, replace(task.recipe, channels=4, cells=3), CLASSES, seed=seed)
        for seed in (1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not same_bits(one.state_dict(), other.state_dict())
