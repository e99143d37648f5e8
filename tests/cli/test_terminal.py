"""The output of all commands in a terminal: help, -q, -v, --json, colours, completion."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.cli.commands import SECTIONS
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call, write_study_file

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
COMMANDS = [name for section in SECTIONS.values() for name, _, _ in section]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", [60, 200])
def test_the_help_of_every_command_has_examples(
    name: str, columns: int, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = call(capfd, name, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    text, _, examples = outcome.out.partition("  Examples:\n")
    assert f"relativenas {name}" in examples
    assert "-q, --quiet" in text
    assert "-v, --verbose" in text
    assert "--json" in text or name in ("ask", "tell", "dashboard")
    assert max(map(len, text.splitlines())) <= min(columns, 100)


def test_the_help_says_what_is_there_and_how_commands_end(capfd: Capture) -> None:
    text = call(capfd, "--help").out
    listed = re.findall(r"^  ([a-z]+)  +[A-Z]", text, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    for words in ("Exit status:", "  130, 143  ended by Ctrl-C", "NO_COLOR", "bash_source"):
        assert words in text


@pytest.mark.usefixtures("finished")
def test_quiet_leaves_the_results(tmp_path: Path, capfd: Capture) -> None:
    words = ("show", "--study", "mine", "--out", tmp_path)
    loud, quiet = call(capfd, *words).out, call(capfd, *words, "-q").out
    assert loud.startswith(quiet.rstrip())
    assert "written:" in loud
    assert "written:" not in quiet
    assert call(capfd, "-q", *words).out == quiet
    again = call(capfd, "search", "--study", "mine", "--quiet").out
    assert again.lstrip().startswith("the best of the last generation, scored again")
    assert "look at it" not in again
    assert call(capfd, "status", "--study", "mine", "-q").out


@pytest.mark.usefixtures("finished")
def test_verbose_says_where_an_error_came_from(capfd: Capture) -> None:
    words = ("status", "--study", "missing")
    line = call(capfd, *words).line
    outcome = call(capfd, *words, "-v")
    assert outcome.status == 1
    assert outcome.err.startswith("Traceback (most recent call last):\n")
    assert outcome.err.splitlines()[-1] == line


@pytest.mark.slow
def test_verbose_prints_each_trial_of_a_search(folder: Path, capfd: Capture) -> None:
    outcome = call(capfd, "run", write_study_file(folder, "mine", generations=1), "-v")
    line = r"^trial \d \(generation 1, seat (\d)\): loss \d+\.\d{4} after \d"
    assert re.findall(line, outcome.out, re.MULTILINE) == ["0", "1"]


def test_results_as_json(finished: Path, tmp_path: Path, capfd: Capture) -> None:
    study = ("--study", "mine")
    searched = call(capfd, "search", *study, "--json")
    assert searched.status == 0
    assert "is finished: 2 generations" in searched.err
    data = json.loads(searched.out)
    assert data["study"] == "mine"
    winner = data["finalists"][0]
    shown = json.loads(call(capfd, "show", *study, "--top", "9", "--json").out)
    assert [one["rank"] for one in shown] == list(range(1, len(shown) + 1))
    for name in ("trial", "genotype", "loss", "accuracy"):
        assert shown[0][name] == winner[name]
    Genotype.from_text(winner["genotype"])
    call(capfd, "show", *study, "--json", "--out", tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".txt", ".json", ".png", ".svg"}
    text = (finished / "mine.toml").read_text()
    (finished / "reach.toml").write_text(f"{text}[reach]\naccuracy = 0.0\n")
    (figure,) = json.loads(call(capfd, "run", "reach.toml", "--json").out)["figures"]
    assert (figure["name"], figure["reached"], figure["value"]) == (
        "accuracy",
        True,
        winner["accuracy"],
    )
    helped = json.loads(call(capfd, "worker", *study, "--json").out)
    assert (helped["study"], helped["trials"]) == ("mine", [])
    assert set(data) >= set(Choice.__dataclass_fields__)


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
def test_forced_colours_bring_no_progress_bars_into_files(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("show", "--study", "mine", "--out", tmp_path)
    plain = call(capfd, *words).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert call(capfd, *words).out == plain
    line = call(capfd, "status", "--study", "mine", "--watch").out
    assert line.count("\n") == 1


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("relativenas sta", ["plain,status"]),
        ("relativenas status --study ", ["plain,mine"]),
        ("relativenas report ", ["plain,mine"]),
        ("relativenas status --storage sqlite:///nowhere.db --study ", []),
        ("relativenas search --data cifar1", ["plain,cifar10", "plain,cifar100"]),
        ("relativenas search --space ", ["plain,cells", "plain,nasbench201"]),
        ("relativenas search --out rel", ["dir,rel"]),
        ("relativenas train --recipe my", ["file,my"]),
    ],
)
def test_the_tab_key_offers_what_fits(
    words: str, offered: list[str], capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_RELATIVENAS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    outcome = call(capfd)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.split() == offered


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("shell", "offered"), [("bash", "plain,'$(reboot) <b>'"), ("zsh", "plain\n$(reboot) <b>\n_")]
)
def test_a_name_is_offered_as_the_shell_has_to_have_it(
    shell: str, offered: str, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_at("sqlite:///relativenas.db") as storage:
        for name in ("$(reboot) <b>", "$(two\nlines)"):
            optuna.create_study(storage=storage, study_name=name)
    monkeypatch.setenv("_RELATIVENAS_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "relativenas status --study ")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert call(capfd).out == f"{offered}\n"
