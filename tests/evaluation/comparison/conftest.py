"""Fixtures: a folder with a finished search, and its comparison."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.command import Outcome, call, write_images, write_study_file

Capture = pytest.CaptureFixture[str]
SMALL = ("--random", "2", "--set", "epochs=2", "--set", "channels=2", "--set", "cells=3")
WORDS = ("compare", "--study", "mine", *SMALL, "--set", "batch_size=8")
NAMES = ["found", "random search", "RelativeNAS", "random 1", "random 2"]


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched")
    write_images(folder / "images" / "train", each=16)
    write_images(folder / "images" / "test", each=10)
    return folder


@pytest.fixture
def folder(place: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> Path:
    """Return a folder in which the study "mine" is finished after 2 generations."""
    monkeypatch.chdir(place)
    if not (place / "mine.toml").exists():
        assert call(capfd, "run", write_study_file(place, "mine")).status == 0
    return place


@pytest.fixture(scope="package")
def threads() -> Any:
    """One, as in the other processes here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def undisturbed(folder: Path, threads: None, capfd: Capture) -> Outcome:
    """Return the outcome of the command's first run, in relativenas-out/mine/compare."""
    kept = folder / "printed.json"
    if not kept.exists():
        outcome = call(capfd, *WORDS)
        assert (outcome.status, outcome.err) == (0, "")
        kept.write_text(json.dumps(outcome.out))
        # Other tests go on with the comparison itself.
        (folder / "undisturbed").mkdir()
        shutil.copy("relativenas-out/mine/compare/compare.json", "undisturbed")
    return Outcome(0, json.loads(kept.read_text()), "")
