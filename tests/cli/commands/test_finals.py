"""The finals of a search as its commands show them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from relativenas_optuna.dashboard.study_note import study_note
from relativenas_optuna.dashboard.trial_note import Best
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.finals.run import FinalsHooks
from relativenas_optuna.search.finals.store import FinalsStore
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.search.study_access import study_at
from relativenas_optuna.visualization._snapshot import StudySnapshot
from tests.helpers.command import call, write_study_file
from tests.helpers.dashboard_shown import note as stored_note

Capture = pytest.CaptureFixture[str]
DATABASE = "sqlite:///relativenas.db"
STUDY = ("--study", "mine")


def stop_after(trainings: int) -> None:
    """Begin the finals of a new search, and stop when some trainings are done."""
    with study_at(DATABASE, "mine") as study:
        plan = SearchPlan.stored_in(study)
        assert plan is not None
        search = Search(study, plan, device="cpu")

        def stop(record: Any) -> None:
            if len(record.trainings) == trainings:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            search.run_finals(FinalsHooks(on_change=stop))


def note() -> str:
    with study_at(DATABASE, "mine", read_only=True) as study:
        seen = StudySnapshot.of(study)
        return study_note(study, seen, Best.of(seen.view, 10))


@pytest.mark.slow
def test_finals_are_shown_by_every_command(folder: Path, capfd: Capture) -> None:
    write_study_file(folder, "mine", generations=1)
    assert call(capfd, "run", "mine.toml").status == 0  # without finals
    with study_at(DATABASE, "mine") as study:
        plan = SearchPlan.of(study, SearchRequest(finals=4))
        plan.store(study)
    stop_after(3)
    status = call(capfd, "status", *STUDY).out
    assert "finals      3 of 6 trainings, rung 1 of 2, 0 running; best accuracy" in status
    assert "relativenas search --study mine" in status
    assert json.loads(call(capfd, "status", *STUDY, "--json").out)["finals"]["done"] == 3
    assert "The finals: **3 of 6 trainings are done**" in note()

    searched = call(capfd, "search", *STUDY)
    assert (searched.status, searched.err) == (0, "")
    assert "finals, rung 1 of 2: the first of 4 has accuracy" in searched.out
    assert (
        "the finals: networks of 6 cells and 8 channels, each trained stand-alone" in searched.out
    )
    headings = r"rank +architecture +after 1 epoch +after \d epochs +parameters"
    assert re.search(headings, searched.out)
    assert "ranked for a network of about this size (--for small)" in searched.out
    with study_at(DATABASE, "mine", read_only=True) as study:
        choice = Choice.stored_in(study)
    assert choice is not None
    won = choice.winner
    assert won.genotype.to_text() in searched.out
    alone = f"{100 * won.finals[-1].accuracy:.2f} %"
    row = rf"^  1 +{re.escape(won.name)} .* {re.escape(alone)} "
    assert re.search(row, searched.out, re.MULTILINE)
    assert (folder / "relativenas-out/mine/best.txt").read_text().strip() == won.genotype.to_text()

    status = call(capfd, "status", *STUDY).out
    assert "finals      6 of 6 trainings, rung 2 of 2; best accuracy" in status
    assert f"accuracy {alone} trained stand-alone in the finals" in status
    shown = call(capfd, "show", *STUDY, "--top", "1").out
    assert f"1. {won.name}: accuracy {alone} trained stand-alone; with shared weights loss" in shown
    assert (
        f"What the search found: {won.name}, accuracy {alone} trained stand-alone"
        in note().replace("\\", "")
    )
    assert call(capfd, "report", *STUDY, "--out", "page.html").status == 0
    page = (folder / "page.html").read_text()
    assert "<th>after 1 epoch</th>" in page
    assert f"<td>{alone} (" in page
    assert "stand-alone accuracy" in page
    (stored,) = [json.loads(call(capfd, "search", *STUDY, "--json").out)]
    assert stored["finalists"][0]["finals"][-1]["accuracy"] == won.finals[-1].accuracy
    assert stored["finals"]["target"] == "small"


@pytest.mark.slow
def test_another_target_is_another_result_of_a_finished_search(
    folder: Path, capfd: Capture
) -> None:
    write_study_file(folder, "mine", generations=1, finals=2)
    assert "(--for small)" in call(capfd, "run", "mine.toml").out
    assert "is finished: 1 generation\n" in call(capfd, "search", *STUDY).out
    full = call(capfd, "search", *STUDY, "--for", "full").out
    assert "is finished" not in full
    assert "(--for full)" in full
    with study_at(DATABASE, "mine", read_only=True) as study:
        assert "(--for full)" in stored_note(study)
    assert "is finished: 1 generation\n" in call(capfd, "search", *STUDY, "--for", "full").out
    none = call(capfd, "search", *STUDY, "--finals", "0").out
    assert "the best of the last generation, scored again" in none
    line = call(capfd, "search", *STUDY, "--for", "full").line
    assert line == "Error: target 'full' needs finals: give --finals N, such as --finals 16"
    line = call(capfd, "search", *STUDY, "--finals", "1").line
    assert "finals must be the number of architectures in the finals, 2 to 48, or 0" in line


def test_a_worker_does_trainings_of_the_finals(folder: Path, capfd: Capture) -> None:
    write_study_file(folder, "mine", generations=1)
    assert call(capfd, "run", "mine.toml").status == 0
    with study_at(DATABASE, "mine") as study:
        SearchPlan.of(study, SearchRequest(finals=2)).store(study)
    assert call(capfd, "worker", *STUDY, "--device", "cpu").status == 0
    with study_at(DATABASE, "mine", read_only=True) as study:
        record = FinalsStore(study).read()
    assert record is not None
    assert record.finished
