"""`relativenas train`, `evaluate` and `export` for keypoints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from relativenas_optuna.evaluation import open_network
from relativenas_optuna.evaluation.exporting.serving import ServingNetwork
from tests.helpers.command import call
from tests.helpers.small_keypoints import GENOTYPE
from tests.helpers.stick_figures import change, write_coco

SMALL = (
    "--set", "channels=4", "--set", "cells=3", "--set", "batch_size=4", "--set", "epochs=1",
    "--set", "validation_fraction=0.4", "--size", "64", "--readers", "0", "--device", "cpu",
)  # fmt: skip


@pytest.mark.slow
def test_keypoints_are_trained_evaluated_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_coco(tmp_path / "coco", train=6, val=3)
    train = ("train", "RelativeNAS", "--task", "keypoints", "--data", "coco", *SMALL)
    trained = call(capfd, *train, "--out", "out")
    assert (trained.status, trained.err) == (0, "")
    assert "validation AP 0." in trained.out
    assert "test AP 0." in trained.out

    evaluate = ("evaluate", "out/network.safetensors", "--data", "coco", "--device", "cpu")
    evaluated = call(capfd, *evaluate, "--out", "measured", "--json", "--batch-size", "2")
    assert evaluated.status == 0
    found = json.loads(evaluated.out)
    stored = json.loads(Path("out/result.json").read_text())
    assert found["figures"] == pytest.approx(stored["test_figures"], abs=1e-3)
    assert (found["task"], found["images"]) == ("keypoints", 4)
    assert "annotated boxes" in found["protocol"]
    with Image.open("measured/predictions.png") as drawn:
        assert drawn.height >= 384

    exported = call(
        capfd, "export", "out/network.safetensors", "--format", "onnx", "--format", "torch",
        "--out", "serving",
    )  # fmt: skip
    assert (exported.status, exported.err) == (0, "")
    assert "gives heatmaps [batch, 5, 16, 16]" in exported.out
    network, description, _ = open_network("out/network.safetensors", GENOTYPE)
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = ServingNetwork(network, description)(images)
    assert isinstance(expected, torch.Tensor)
    session = onnxruntime.InferenceSession(
        "serving/network.onnx", providers=["CPUExecutionProvider"]
    )
    (heatmaps,) = session.run(["heatmaps"], {"images": images.numpy()})
    np.testing.assert_allclose(heatmaps, expected.numpy(), atol=1e-4)
    program = torch.export.load("serving/network.pt2").module()
    torch.testing.assert_close(program(images), expected, atol=1e-4, rtol=1e-4)


def test_a_broken_annotation_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_coco(tmp_path, train=2, val=0)
    change(tmp_path, bbox=[1, 2, 3])
    train = ("train", "RelativeNAS", "--task", "keypoints", "--data", str(tmp_path), *SMALL)
    outcome = call(capfd, *train, "--out", str(tmp_path / "out"))
    assert "bbox of annotations[0] must be a list of 4 numbers" in outcome.line
