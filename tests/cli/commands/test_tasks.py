"""Test `relativenas train`, `evaluate` and `export` with the option `--task`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from relativenas_optuna.evaluation import open_network
from relativenas_optuna.evaluation.exporting.serving import ServingNetwork
from relativenas_optuna.spaces import published
from tests.helpers.command import ROOT, call
from tests.helpers.masks import write_cityscapes
from tests.helpers.voc_folder import write_voc

Capture = pytest.CaptureFixture[str]
SMALL = ("--set", "channels=4", "--set", "cells=3", "--set", "batch_size=4")
SHORT = (*SMALL, "--set", "epochs=1", "--size", "32", "--readers", "0", "--device", "cpu")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cityscapes(tmp_path_factory.mktemp("cityscapes"), train=8, val=2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.mark.slow
def test_segmentation_is_trained_evaluated_and_exported(
    here: Path, street: Path, capfd: Capture
) -> None:
    train = ("train", "RelativeNAS", "--task", "segmentation", "--data", str(street), *SHORT)
    trained = call(capfd, *train, "--out", "out")
    assert (trained.status, trained.err) == (0, "")
    assert "8 training images" not in trained.out  # some of them validate
    assert "validation mIoU 0." in trained.out
    assert "test mIoU 0." in trained.out

    evaluate = ("evaluate", "out/network.safetensors", "--data", str(street), "--device", "cpu")
    evaluated = call(capfd, *evaluate, "--out", "measured", "--json", "--batch-size", "2")
    assert evaluated.status == 0
    found = json.loads(evaluated.out)
    stored = json.loads(Path("out/result.json").read_text())
    assert found["figures"] == pytest.approx(stored["test_figures"], abs=1e-3)
    assert (found["task"], found["images"]) == ("segmentation", 2)
    assert "single scale" in found["protocol"]
    assert found["parameters"] == stored["parameters"] > 1_000_000
    assert json.loads(Path("measured/evaluation.json").read_text()) == found
    with Image.open("measured/predictions.png") as drawn:
        assert drawn.width == 2 * 80  # the prediction beside what is true

    exported = call(
        capfd, "export", "out/network.safetensors", "--format", "onnx", "--format", "torch",
        "--format", "safetensors", "--out", "serving",
    )  # fmt: skip
    assert (exported.status, exported.err) == (0, "")
    assert "gives logits [batch, 19, 32, 32]" in exported.out
    network, description, _ = open_network("serving/network.safetensors", published("RelativeNAS"))
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = ServingNetwork(network, description)(images)
    session = onnxruntime.InferenceSession(
        "serving/network.onnx", providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    program = torch.export.load("serving/network.pt2").module()
    assert isinstance(expected, torch.Tensor)
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-3)
    torch.testing.assert_close(program(images), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
def test_a_network_of_torchvision_stands_in(here: Path, street: Path, capfd: Capture) -> None:
    train = ("train", "shufflenet_v2_x0_5", "--task", "segmentation", "--data", str(street), *SHORT)
    trained = call(capfd, *train, "--out", "out")
    assert (trained.status, trained.err) == (0, "")
    assert "--space" not in trained.out
    again = call(capfd, *train, "--out", "out")
    assert again.status == 0
    network = "out/network.safetensors"
    evaluate = ("evaluate", network, "--data", str(street), "--device", "cpu", "--json")
    evaluated = call(capfd, *evaluate, "--batch-size", "2")
    assert evaluated.status == 0
    stored = json.loads(Path("out/result.json").read_text())
    assert json.loads(evaluated.out)["figures"] == pytest.approx(stored["test_figures"], abs=1e-3)
    exported = call(capfd, "export", network, "--format", "onnx", "--out", "serving")
    assert (exported.status, exported.err) == (0, "")


@pytest.mark.slow
def test_detection_is_trained_evaluated_and_exported(here: Path, capfd: Capture) -> None:
    write_voc(here / "data", training=8, test=2)
    small = (*SMALL, "--set", "epochs=1", "--size", "96", "--readers", "0", "--device", "cpu")
    trained = call(
        capfd,
        "train",
        "RelativeNAS",
        "--task",
        "detection",
        "--data",
        "data",
        *small,
        "--out",
        "out",
    )
    assert (trained.status, trained.err) == (0, "")
    assert "test voc2007_map " in trained.out
    evaluated = call(
        capfd, "evaluate", "out/network.safetensors", "--data", "data", "--device", "cpu",
        "--batch-size", "2", "--out", "measured", "--json",
    )  # fmt: skip
    assert evaluated.status == 0
    stored = json.loads(Path("out/result.json").read_text())
    assert json.loads(evaluated.out)["figures"] == pytest.approx(stored["test_figures"], abs=1e-2)
    assert Path("measured/predictions.png").exists()
    exported = call(capfd, "export", "out/network.safetensors", "--format", "onnx", "--json")
    assert exported.status == 0
    (written,) = json.loads(exported.out)
    assert written["difference"] <= written["bound"]


@pytest.mark.slow
def test_a_task_of_your_own_works_in_all_three_commands(here: Path, capfd: Capture) -> None:
    shutil.copy(ROOT / "examples" / "own_task.py", here / "dots_task.py")
    network = "relativenas-out/RelativeNAS-counting/network.safetensors"
    own = ("--task", "dots_task:COUNTING")
    short = ("--set", "epochs=2", "--readers", "0", "--device", "cpu")
    trained = call(capfd, "train", "RelativeNAS", *own, "--data", "16", *short, "--json")
    assert trained.status == 0
    result = json.loads(trained.out)
    assert [*result["test_figures"]] == ["R2", "mean error"]
    evaluate = ("evaluate", network, "--data", "16", "--device", "cpu", "--json")
    evaluated = call(capfd, *evaluate, *own)
    assert evaluated.status == 0
    figures = json.loads(evaluated.out)["figures"]
    assert figures == pytest.approx(result["test_figures"], rel=1e-3, abs=1e-3)
    exported = call(capfd, "export", network, *own, "--format", "torch")
    assert "gives count [batch]" in exported.out


def test_mistakes_are_one_line(here: Path, street: Path, capfd: Capture) -> None:
    for words, said in (
        (["--task", "segmentation"], "--task segmentation needs --data"),
        (["--task", "sementation", "--data", "x"], "got 'sementation'"),
        (["--backbone", str(__file__)], "--backbone needs --task"),
        (["--task", "segmentation", "--data", "x"], "'x' holds neither Cityscapes"),
        (
            ["--task", "segmentation", "--data", str(street), "--size", "33"],
            "size must be a multiple of 32 pixels",
        ),
    ):
        outcome = call(capfd, "train", "RelativeNAS", *words)
        assert said in outcome.line
