"""`relativenas evaluate`: text and JSON, and one line for each mistake."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from relativenas_optuna.cli.output.evaluation import EvaluationReport
from relativenas_optuna.evaluation.measurement import measure as measuring
from relativenas_optuna.evaluation.measurement.latency import Latency
from relativenas_optuna.evaluation.measurement.measure import Measured
from relativenas_optuna.networks import Cost, save_network
from relativenas_optuna.spaces import published
from relativenas_optuna.training.loop import Evaluation
from tests.helpers.command import call, write_images
from tests.helpers.networks import golden
from tests.helpers.small_standalone import DESCRIPTION
from tests.helpers.tiny_search import names

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Here: a trained network, published weights, and images, of which some are test images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measuring, "latency", lambda *_, **__: LATENCY)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_network("net.safetensors", DESCRIPTION.build(), DESCRIPTION)
    torch.save({f"module.{n}": of for n, of in golden().state.items()}, "golden.pt")
    for part, each in (("train", 3), ("test", 4)):
        write_images(tmp_path / "images" / part, each=each)
        write_images(tmp_path / "seven" / part, classes=7, each=each)
    return tmp_path


LATENCY = Latency(1, 0.00125, 0.0005, 9, 1)
OWN = ("evaluate", "net.safetensors", "--data", "images", "--device", "cpu")


def test_a_trained_network_is_measured_for_people(folder: Path, capfd: Capture) -> None:
    outcome = call(capfd, *OWN, "--out", "measured")
    assert (outcome.status, outcome.err) == (0, "")
    for line in (
        "net.safetensors: 3 cells and 2 channels, 2 classes",
        "8 test images of images, 8x8",
        r"accuracy   \d+\.\d\d %",
        r"error      \d+\.\d\d % \(\d of 8\)",
        r"loss       \d\.\d{4}",
        r"cost       [\d,]+ parameters, [\d,]+ multiply-adds an image",
        r"latency    1 image: 1.25 ms \(interquartile range 0.50 ms\); device cpu, 1 thread",
        r"confused   \d of 4 'class[01]' taken for 'class[01]'",
        "written:   measured: evaluation.json, confusion.png",
    ):
        assert re.search(f"^{line}$", outcome.out, re.MULTILINE), (line, outcome.out)
    assert names(folder / "measured") == ["confusion.png", "evaluation.json"]
    with Image.open(folder / "measured" / "confusion.png") as image:
        assert image.width > 500
    written = json.loads((folder / "measured" / "evaluation.json").read_text())
    printed = call(capfd, *OWN, "--json")
    assert (printed.status, printed.err, printed.out.count("\n")) == (0, "", 1)
    assert json.loads(printed.out) == written
    assert written["classes"] == ["class0", "class1"]
    assert sum(map(sum, written["confusion"])) == written["images"] == 8
    assert written["error"] == pytest.approx(1 - written["accuracy"])
    assert (written["top5"], written["published_error"]) == (None, None)
    assert written["latency"][0] == {
        "batch_size": 1,
        "median": 0.00125,
        "interquartile_range": 0.0005,
        "measurements": 9,
        "threads": 1,
    }


def test_published_weights_are_measured_and_said_to_be_taken_for_what_they_are(
    folder: Path, capfd: Capture
) -> None:
    outcome = call(capfd, "evaluate", "golden.pt", "--data", "seven", "--device", "cpu")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("golden.pt: 5 cells and 4 channels, 7 classes\n")
    assert "\nassumed to be RelativeNAS trained on cifar10; the file does not say\n" in outcome.out
    assert re.search(r"^accuracy   \d+\.\d\d %, top-5 \d+\.\d\d %$", outcome.out, re.MULTILINE)
    assert "'class" in outcome.out  # names of the data, for the file has none


def test_every_part_of_the_data_can_be_scored(folder: Path, capfd: Capture) -> None:
    recipe = {"recipe": {"validation_fraction": 0.4}, "seed": 1}
    described = replace(DESCRIPTION, notes=recipe)
    save_network("chosen.safetensors", described.build(), described)
    for part, count in (("training", 6), ("validation", 2)):
        outcome = call(capfd, "evaluate", "chosen.safetensors", *OWN[2:], "--part", part)
        assert f"\n{count} {part} images of images, 8x8\n" in outcome.out, outcome


def damaged(folder: Path) -> None:
    content = (folder / "net.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(content[: len(content) // 2])
    (folder / "empty.pt").write_bytes(b"")
    content = (folder / "golden.pt").read_bytes()
    (folder / "cut.pt").write_bytes(content[: len(content) // 2])
    torch.save(Call(), folder / "code.pt")


class Call:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (Path("made"),)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.pt",), "File 'none.pt' does not exist"),
        (("images",), "File 'images' is a directory"),
        (("cut.safetensors",), "'cut.safetensors' is damaged or not a safetensors file"),
        (("cut.pt",), "'cut.pt' is damaged or was not written by torch.save"),
        (("empty.pt",), "'empty.pt' is damaged or was not written by torch.save"),
        (("code.pt",), "'code.pt' holds code or objects beside tensors"),
        (("golden.pt",), "the network has 7 classes, but the data has 2: 'class0', 'class1'"),
        (("golden.pt", "--architecture", "DARTS_V1"), "'golden.pt' is of another network: cells.0"),
        (("golden.pt", "--architecture", "none"), "architecture must be a file with a genotype"),
        (("golden.pt", "--dataset", "imagenet"), "'golden.pt' is of another network: stem0.0."),
        (("net.safetensors", "--architecture", "DARTS_V1"), "--architecture is for weights that"),
        (("net.safetensors", "--dataset", "imagenet"), "--dataset is for weights that do not name"),
        (("net.safetensors", "--data", "seven"), "has 2 classes, but the data has 7"),
        (("net.safetensors", "--data", "odd"), "class 1 is 'other' in the data and 'class1' in"),
        (("net.safetensors", "--data", "images/test"), "pass --part training to score all"),
        (("net.safetensors", "--data", "nowhere"), "data must be one of digits, cifar10"),
        (
            ("net.safetensors", "--data", "digits"),
            "images of 3 channels, but those of 'digits' have",
        ),
        (("net.safetensors", "--part", "validation"), "does not describe the images by which"),
        (("net.safetensors", "--size", "3"), "with height and width of at least 4, got [1, 3, 3"),
        (
            ("net.safetensors", "--out", "golden.pt"),
            "folder 'golden.pt' cannot be written (File ex",
        ),
        (("net.safetensors", "--device", "cuda:99"), "device must be one of cpu"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], said: str, folder: Path, capfd: Capture
) -> None:
    damaged(folder)
    for part in ("train", "test"):
        write_images(folder / "odd" / part)
        (folder / "odd" / part / "class1").rename(folder / "odd" / part / "other")
    before = names(folder)
    assert said in call(capfd, "evaluate", words[0], *OWN[2:], *words[1:]).line
    assert names(folder) == before  # and nothing was run


def report(*, part: str = "test", data: str = "cifar10", **changes: Any) -> EvaluationReport:
    of = replace(
        DESCRIPTION,
        **{"genotype": published("RelativeNAS"), "channels": 36, "cells": 20, **changes},
    )
    return EvaluationReport(
        file="w.pt",
        taken_for=None,
        description=of,
        data=data,
        part=part,
        side="32x32",
        device="cpu",
        measured=Measured(
            scored=Evaluation(loss=0.1, accuracy=0.9774, count=10_000),
            top5=0.9991,
            confusion=[[5000, 0], [226, 4774]],
            cost=Cost(3_928_222, 616_803_360),
            latencies=[LATENCY, replace(LATENCY, batch_size=128, median=2.0)],
        ),
    )


def test_the_papers_error_stands_beside_that_of_its_network_on_its_images() -> None:
    found = report()
    lines = found.lines()
    assert "error      2.26 % (226 of 10,000); published: 2.26 %" in lines
    assert "accuracy   97.74 %, top-5 99.91 %" in lines
    assert "confused   226 of 5,000 'class1' taken for 'class0'" in lines
    assert "           128 images: 2000.00 ms (interquartile range 0.50 ms)" in lines
    assert found.to_data()["published_error"] == 0.0226
    thousand = tuple(map(str, range(1000)))
    large: dict[str, Any] = {
        "channels": 46,
        "cells": 14,
        "dataset": "imagenet",
        "classes": thousand,
    }
    assert report(data="images", **large).published_error == 24.88
    assert report(data="cifar100", dataset="cifar100").published_error == 15.86
    for other in (
        report(part="training"),
        report(data="images"),
        report(channels=16),
        report(cells=8),
        report(genotype=published("DARTS_V2")),
        report(data="images", **{**large, "classes": thousand[1:]}),
    ):
        assert other.published_error is None
        assert not any("published" in line for line in other.lines())


def test_names_are_text_and_no_markup(folder: Path, capfd: Capture) -> None:
    classes = (":smile:", "[red]a[")
    described = replace(DESCRIPTION, classes=classes)
    save_network("[b].safetensors", described.build(), described)
    for part in ("train", "test"):
        for number, name in enumerate(classes):
            path = folder / "images" / part
            (path / f"class{number}").rename(path / name)
    outcome = call(capfd, "evaluate", "[b].safetensors", *OWN[2:])
    assert outcome.out.startswith("[b].safetensors: 3 cells")
    assert re.search(r"of 4 '(:smile:|\[red\]a\[)' taken for '(:smile:|\[red\]a\[)'", outcome.out)
