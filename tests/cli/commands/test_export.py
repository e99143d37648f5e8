"""`relativenas export`: files that other programs load, and one line for each mistake."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.exporting import export as exporting
from relativenas_optuna.networks import build, load_network, save_network
from relativenas_optuna.training.data.statistics import STATISTICS
from tests.helpers.command import call
from tests.helpers.networks import golden
from tests.helpers.small_standalone import DESCRIPTION
from tests.helpers.tiny_search import names, same_bits

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Here: a trained network, and published weights."""
    monkeypatch.chdir(tmp_path)
    save_network("net.v1.safetensors", DESCRIPTION.build(), DESCRIPTION)
    torch.save({f"module.{n}": of for n, of in golden().state.items()}, "golden.pt")
    return tmp_path


def test_each_form_is_written_and_said_to_be_what_it_is(folder: Path, capfd: Capture) -> None:
    forms = ("--format", "torch", "--format", "safetensors", "--format", "torch")
    described = replace(DESCRIPTION, size=(9, 13), in_channels=1, mean=(0.5,), std=(0.1,))
    save_network("net.v2.safetensors", described.build(), described)
    outcome = call(capfd, "export", "net.v2.safetensors", *forms, "--out", "new/served")
    assert (outcome.status, outcome.err) == (0, "")
    takes = (
        r"  takes images, float32 \[batch, 1, 9, 13\] from 0 to 1, and gives logits \[batch, 2\]"
    )
    again = r"  loaded again, its outputs for 1 and 3 images "
    near = again + r"(differ by at most \S+ \(bound 0\.0001\)|are those of the network, .*)"
    expected = (
        r"new/served/net\.v2\.pt2: [\d,]+ bytes",
        takes,
        near,
        r"new/served/net\.v2\.safetensors: [\d,]+ bytes",
        r"  holds the weights and a description of the network, also in net\.v2\.json",
        again + "are those of the network, to the last bit",
    )
    for line, pattern in zip(outcome.out.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line), line
    assert names(folder / "new" / "served") == [
        *("net.v2.json", "net.v2.pt2", "net.v2.safetensors"),
    ]
    module = torch.export.load("new/served/net.v2.pt2").module()
    assert module(torch.rand(7, 1, 9, 13)).shape == (7, 2)


def test_json_names_the_written_files(folder: Path, capfd: Capture) -> None:
    outcome = call(capfd, "export", "net.v1.safetensors", "--format", "safetensors", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    (written,) = json.loads(outcome.out)
    assert (written["format"], written["path"]) == ("safetensors", "net.v1.safetensors")
    assert written["bytes"] == (folder / written["path"]).stat().st_size
    assert written["beside"] == "net.v1.json"
    assert 0 <= written["difference"] <= written["bound"]


def test_published_weights_become_a_file_that_says_what_it_is(folder: Path, capfd: Capture) -> None:
    outcome = call(capfd, "export", "golden.pt", "--format", "safetensors")
    assert (outcome.status, outcome.err) == (0, "")
    said = "golden.pt: assumed to be RelativeNAS trained on cifar10; the file does not say\n"
    assert outcome.out.startswith(said)
    network, description = load_network("golden.safetensors")
    assert same_bits(network.state_dict(), golden().state)
    assert (description.mean, description.std) == STATISTICS["cifar10"]
    logits = network.eval()(golden().images)
    assert isinstance(logits, Tensor)
    torch.testing.assert_close(logits, golden().logits, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="is of another"):
        build("DARTS_V1", weights="golden.safetensors")


@pytest.mark.slow
def test_published_weights_become_a_program_that_takes_images_as_they_are(
    folder: Path, capfd: Capture
) -> None:
    outcome = call(capfd, "export", "golden.pt", "--format", "onnx")
    assert (outcome.status, outcome.err) == (0, "")
    assert "golden.onnx: " in outcome.out
    assert names(folder) == ["golden.onnx", "golden.pt", "net.v1.json", "net.v1.safetensors"]
    mean, std = (torch.tensor(of).view(-1, 1, 1) for of in STATISTICS["cifar10"])
    unit = golden().images * std + mean  # what is normalised to the golden images
    session = onnxruntime.InferenceSession("golden.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": unit.numpy().astype(np.float32)})
    torch.testing.assert_close(torch.from_numpy(logits), golden().logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("net.v1.safetensors",), 2, "Missing option '--format'"),
        (("net.v1.safetensors", "--format", "tflite"), 2, "'tflite' is not one of 'safetensors',"),
        (("none.pt", "--format", "onnx"), 2, "File 'none.pt' does not exist"),
        (("text.pt", "--format", "onnx"), 1, "'text.pt' is damaged or was not written by torch."),
        (("cut.safetensors", "--format", "onnx"), 1, "is damaged or not a safetensors file"),
        (("alone.safetensors", "--format", "onnx"), 1, "is of another network: stem.0.weight is"),
        (("golden.pt", "--format", "torch", "--architecture", "DARTS_V1"), 1, "of another network"),
        (("net.v1.safetensors", "--format", "torch", "--out", "text.pt"), 1, "cannot be written"),
        (("net.v1.safetensors", "--format", "torch", "--out", "text.pt/x"), 1, "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], status: int, said: str, folder: Path, capfd: Capture
) -> None:
    (folder / "text.pt").write_text("no weights")
    content = (folder / "net.v1.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(content[:-1])
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, folder / "alone.safetensors")
    before = names(folder)
    outcome = call(capfd, "export", *words)
    assert outcome.status == status
    assert said in outcome.line.replace("missing", "is")
    assert names(folder) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write it")
def test_a_folder_that_may_not_be_written_is_named(folder: Path, capfd: Capture) -> None:
    (folder / "theirs").mkdir(mode=0o500)
    line = call(capfd, "export", "net.v1.safetensors", "--format", "torch", "--out", "theirs").line
    assert "folder 'theirs' cannot be written (Permission denied): give another with --out" in line


def test_without_the_library_of_a_form_nothing_is_read_or_written(
    folder: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    (folder / "text.pt").write_text("no weights")
    words = ("export", "text.pt", "--format", "safetensors", "--format", "onnx", "--out", "out")
    line = call(capfd, *words).line
    assert line.endswith(
        "format onnx needs onnx, onnxscript, onnxruntime: pip install 'relativenas-optuna[onnx]'"
    )
    assert not (folder / "out").exists()
