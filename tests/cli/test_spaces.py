"""Searches in NAS-Bench-201 and in a space of the user, from the command to a trained network."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relativenas_optuna.spaces import registry
from tests.helpers import own_space
from tests.helpers.command import Outcome, call, end, started, write_study_file

OWN = "a_space_of_mine:DEPTHS"
TINY = ("--set", "epochs=1", "--set", "channels=2", "--set", "cells=5", "--set", "auxiliary=0")
Run = Callable[..., Outcome]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run commands in a folder with a module of the user, each as in a process of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(own_space.__file__, tmp_path / "a_space_of_mine.py")

    def forget() -> None:
        sys.modules.pop("a_space_of_mine", None)
        monkeypatch.setattr(registry, "_REGISTERED", dict(registry.BUILT_IN))

    def run(*words: str) -> Outcome:
        forget()
        return call(capfd, *words)

    yield run
    forget()


def study_file(folder: Path, space: str, *, generations: int = 1, finals: int = 0) -> str:
    name = write_study_file(folder, "s", generations=generations, finals=finals)
    path = folder / name
    path.write_text(path.read_text().replace("[search]", f'[search]\nspace = "{space}"'))
    return name


@pytest.mark.slow
@pytest.mark.parametrize("space", ["nasbench201", OWN])
def test_a_search_is_watched_extended_and_trained(space: str, tmp_path: Path, run: Run) -> None:
    found = run("run", study_file(tmp_path, space, finals=2))
    assert (found.status, found.err) == (0, "")
    size = f"space {OWN}" if space == OWN else "6 cells and 8 channels"
    assert f"the finals: networks of {size}, each trained stand-alone" in found.out
    assert f"data {tmp_path / 'images'}, space {space}, preset digits" in found.out
    out = tmp_path / "relativenas-out" / "s"
    best = json.loads((out / "best.json").read_text())
    assert best["space"] == space
    assert (out / "best.txt").read_text() == f"space: {space}\n{best['genotype']}\n"
    assert not list(out.glob("best.*g"))
    assert f"space {space}" in run("status", "--study", "s").out
    shown = run("show", "--study", "s")
    assert best["genotype"] in shown.out
    (first,) = json.loads(run("show", "--study", "s", "--json").out)
    assert (first["space"], first["genotype"]) == (space, best["genotype"])
    assert run("report", "s").status == 0
    assert f"networks of {size}, each" in (out / "report.html").read_text()
    assert f"<dd>{space}</dd>" in (out / "report.html").read_text()

    assert (
        "space 'cells' does not fit study 's'"
        in run("search", "--study", "s", "--space", "cells").line
    )
    assert run("search", "--study", "s", "--generations", "2").status == 0
    worker = run("worker", "--study", "s")
    assert (worker.status, worker.err) == (0, "")
    trained = run("train", "--study", "s", *TINY)
    assert (trained.status, trained.err) == (0, "")
    trained_size = size if space == OWN else "5 cells and 2 channels"
    assert re.search(f"; 1 epoch of batches of \\d+, {trained_size}\n", trained.out)
    network = "relativenas-out/s-trained/network.safetensors"
    named = [] if space == "nasbench201" else ["--space", space]
    if named:
        assert f"--space {space}" in trained.out
        for words in (("train", str(out / "best.txt")), ("evaluate", network)):
            assert f"space '{space}' is not loaded" in run(*words, "--data", "images").line
    for form in ("txt", "json"):
        file = str(out / f"best.{form}")
        assert run("train", file, "--data", "images", "--out", form, *TINY, *named).status == 0
    assert run("export", network, "--format", "safetensors", "--out", "ex", *named).status == 0
    measure = ("evaluate", "ex/network.safetensors", "--data", "images", "--part", "training")
    assert "16 training images" in run(*measure, *named).out


@pytest.mark.slow
def test_a_space_without_standalone_networks_has_no_finals(tmp_path: Path, run: Run) -> None:
    bare = OWN.replace("DEPTHS", "BARE")
    found = run("run", study_file(tmp_path, bare, finals=2))
    assert (found.status, found.err) == (0, "")
    assert f"no finals, because space {bare!r} has no stand-alone networks" in found.out
    assert "the finals:" not in found.out
    assert "is finished" in run("search", "--study", "s").out
    timed = ("--data", "images", "--preset", "digits", "--space", bare, "--time", "9s")
    planned = run("search", "--study", "timed", *timed)
    assert (planned.status, planned.err) == (0, "")
    assert f"no finals, because space {bare!r} has no stand-alone networks" in planned.out


def test_another_process_finds_the_space_of_the_study(tmp_path: Path, run: Run) -> None:
    assert run("run", study_file(tmp_path, OWN)).status == 0
    assert run("search", "--study", "s", "--generations", "1").status == 0
    with started(
        "search", "--study", "s", "--generations", "2", "--workers", "2", cwd=tmp_path
    ) as it:
        done = end(it)
    assert (done.status, done.err) == (0, "")


def test_a_module_with_another_space_is_refused(tmp_path: Path, run: Run) -> None:
    assert run("run", study_file(tmp_path, OWN)).status == 0
    module = tmp_path / "a_space_of_mine.py"
    module.write_text(module.read_text().replace("IntDistribution(1, 3)", "IntDistribution(1, 4)"))
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    for words in (("search", "--generations", "2"), ("worker",)):
        assert "holds trials of another search space" in run(*words, "--study", "s").line


def test_a_missing_space_module_is_one_line_and_the_study_stays_visible(
    tmp_path: Path, run: Run
) -> None:
    assert run("run", study_file(tmp_path, OWN)).status == 0
    (tmp_path / "a_space_of_mine.py").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    for words in (("search", "--generations", "2"), ("worker",), ("train",)):
        assert f"of space '{OWN}' cannot be imported" in run(*words, "--study", "s").line
    for words in (("status",), ("show",), ("report",)):
        assert run(*words, "--study", "s").status == 0


@pytest.mark.parametrize(
    ("correct", "wrong", "message"),
    [
        ("text = staticmethod(str)", 'text = staticmethod(lambda _: "")', "must be text of 1 to"),
        ("return int(text)", "return text", "parse(text(g)) must be g"),
        ('{"depth": genotype}', "{}", "must have the names of distributions"),
        ("return int(rng.integers(1, 4))", "return 1 // 0", "ZeroDivisionError"),
        ("supernet=DepthNetwork, network", "supernet=print, network", "got NoneType"),
        ("supernet=DepthNetwork, network", "supernet=lambda: 1, network", "takes 0 positional"),
    ],
)
def test_a_mistake_in_a_space_is_one_line_before_the_search(
    correct: str, wrong: str, message: str, tmp_path: Path, run: Run
) -> None:
    module = tmp_path / "a_space_of_mine.py"
    assert correct in module.read_text()
    module.write_text(module.read_text().replace(correct, wrong))
    refused = run("search", "--space", OWN).line
    assert f"space '{OWN}'" in refused
    assert message in refused
    assert not (tmp_path / "relativenas.db").exists()


@pytest.mark.parametrize("name", ["nothing", ""])
def test_an_unknown_space_is_one_line_with_the_known_ones(
    name: str, tmp_path: Path, run: Run
) -> None:
    refused = run("search", "--space", name).line
    assert "space must be one of cells, nasbench201, or MODULE:ATTRIBUTE" in refused
    assert not (tmp_path / "relativenas.db").exists()
