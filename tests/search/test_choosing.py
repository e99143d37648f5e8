"""The result of a search under MIGO: the most likely architecture, beside those that were drawn."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.cli.output.search import Console
from relativenas_optuna.cli.output.status import StatusReport
from relativenas_optuna.dashboard.html_report.page import page_of
from relativenas_optuna.dashboard.study_note import study_note
from relativenas_optuna.dashboard.trial_note import Best
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.search.choice import FINALISTS, best_architectures
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.search.status import status_of
from relativenas_optuna.visualization._snapshot import StudySnapshot
from tests.helpers.tiny_search import SETTINGS, SPACE, choice_of, write_images

if TYPE_CHECKING:
    from pathlib import Path

LINE = "most likely architecture"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Search:
    data = write_images(tmp_path_factory.mktemp("data"))
    study = optuna.create_study(study_name="s")
    request = SearchRequest(
        data=str(data),
        out=str(tmp_path_factory.mktemp("out")),
        seed=5,
        sampler="migo",
        settings=asdict(SETTINGS) | {"population": 7, "generations": 2},
        finals=0,
    )
    search = Search(study, SearchPlan.of(study, request), device="cpu")
    search.run()
    search.choose()
    return search


@pytest.mark.slow
def test_the_most_likely_architecture_wins(finished: Search) -> None:
    choice, population = choice_of(finished), finished.population
    assert isinstance(population, DistributionPopulation)
    expected = SPACE.most_likely(
        {m.name: dict(zip(m.values, m.probabilities, strict=True)) for m in population.marginals(2)}
    )
    winner, *others = choice.finalists
    assert winner == choice.winner
    assert winner.most_likely
    assert winner.genotype == expected
    score = finished.objective.evaluate(expected)
    assert (winner.loss, winner.accuracy) == (score.loss, score.accuracy)
    assert finished.choose() == choice
    # The best that were drawn in all generations, by their loss with the final weights.
    assert not any(finalist.most_likely for finalist in others)
    assert [f.loss for f in others] == sorted(f.loss for f in others)
    by_loss = sorted(finished.study.trials, key=lambda t: (t.value, t.number))
    best = list(dict.fromkeys(SPACE.genotype(trial.params) for trial in by_loss))[:FINALISTS]
    assert {f.genotype for f in others} == set(best) - {expected}


def test_a_most_likely_architecture_that_was_drawn_names_its_trial(finished: Search) -> None:
    drawn = {SPACE.genotype(trial.params) for trial in finished.study.trials}
    winner = choice_of(finished).winner
    assert (winner.trial is None) == (winner.genotype not in drawn)
    known = replace(winner, trial=3, search_loss=1.0)
    assert (winner.name, known.name) == (LINE, f"trial 3 ({LINE})")


def test_what_is_shown_names_the_most_likely_architecture(
    finished: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, choice = finished.study, choice_of(finished)
    assert choice.winner.trial is None  # else the texts below name a trial
    assert next(iter(best_architectures(study))) == choice.winner.genotype
    status = status_of(study)
    assert status.best is not None
    assert (status.best.trial, status.best.accuracy) == (None, choice.winner.accuracy)
    assert f"best        {LINE}: loss" in StatusReport(status, storage="sqlite://").text
    Console(storage="sqlite://", study="s").ended(choice, replace(finished.plan, out=str(tmp_path)))
    printed = capsys.readouterr().out
    assert f"  1. {LINE}: loss {choice.winner.loss:.4f}" in printed
    assert "not drawn in search" in printed
    assert f"{LINE} is the result of sampler migo; compared with" in printed
    assert (tmp_path / "best.txt").read_text().strip() == choice.winner.genotype.to_text()
    page = page_of(study, storage="sqlite://", made_by="", top=2)
    assert f"<b>1.</b> {LINE}" in page
    assert "<td>most likely</td>" in page
    seen = StudySnapshot.of(study)
    note = study_note(study, seen, Best.of(seen.view, 10))
    assert f"What the search found: {LINE}, scored again" in note
