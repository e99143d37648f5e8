"""`relativenas train`, `evaluate` and `export` for detection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import call
from tests.helpers.voc_folder import write_voc

SMALL = (
    "--set", "channels=4", "--set", "cells=3", "--set", "batch_size=4", "--set", "epochs=1",
    "--size", "64", "--readers", "0", "--device", "cpu",
)  # fmt: skip


@pytest.mark.slow
def test_detectors_are_trained_evaluated_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_voc(tmp_path / "VOCdevkit", training=6, test=3)
    train = ("train", "DARTS_V1", "--task", "detection", "--data", "VOCdevkit", *SMALL)
    trained = call(capfd, *train, "--out", "out")
    assert (trained.status, trained.err) == (0, "")
    assert "test voc2007_map 0." in trained.out

    evaluate = ("evaluate", "out/network.safetensors", "--data", "VOCdevkit", "--device", "cpu")
    evaluated = call(capfd, *evaluate, "--out", "measured", "--json")
    found = json.loads(evaluated.out)
    stored = json.loads(Path("out/result.json").read_text())
    assert found["figures"] == pytest.approx(stored["test_figures"], abs=1e-3)
    assert "eleven points of VOC 2007" in found["protocol"]
    assert Path("measured/predictions.png").exists()

    # The command compares each file with the network, on batches of different sizes.
    formats = ("--format", "onnx", "--format", "torch")
    exported = call(capfd, "export", "out/network.safetensors", *formats, "--out", "serving")
    assert (exported.status, exported.err) == (0, "")
    # Maps of 4x4, 2x2 and four times 1x1 pixels with 6 boxes at each place.
    assert "scores [batch, 144, 3]" in exported.out
    assert "boxes [batch, 144, 4]" in exported.out
    assert {path.name for path in Path("serving").iterdir()} >= {"network.onnx", "network.pt2"}


def test_broken_annotations_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_voc(tmp_path, training=2, test=0)
    (tmp_path / "VOC2007" / "Annotations" / "000001.xml").write_text("<annotation>")
    train = ("train", "DARTS_V1", "--task", "detection", "--data", str(tmp_path), *SMALL)
    outcome = call(capfd, *train, "--out", str(tmp_path / "out"))
    assert "000001.xml' is no XML: no element found" in outcome.line
