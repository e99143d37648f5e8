"""Searches whose shared weights are trained on uniform paths, before any candidate is scored."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from rich.console import Console

from relativenas_optuna.cli.output.status import StatusReport
from relativenas_optuna.cli.progress import SearchProgress
from relativenas_optuna.objective.uniform_paths import UniformProgress
from relativenas_optuna.search.limits import LimitRequest
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.random_architectures import uniform_paths
from relativenas_optuna.search.search import Search
from relativenas_optuna.search.status import status_of
from relativenas_optuna.spaces import AdditiveCost
from tests.helpers.tiny_search import SETTINGS, SPACE, database, scores, write_images

EPOCHS, GENERATIONS = 2, 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"))


def search(
    data: Path, out: Path, study: optuna.Study | None = None, *, leads: bool = True, **request: Any
) -> Search:
    study = optuna.create_study(study_name="s") if study is None else study
    settings = asdict(SETTINGS) | {"uniform_epochs": EPOCHS, "generations": GENERATIONS}
    settings |= request.pop("settings", {})
    asked = SearchRequest(
        data=str(data), out=str(out), settings=settings, seed=3, finals=0, **request
    )
    return Search(study, SearchPlan.of(study, asked), device="cpu", leads=leads)


def in_database(data: Path, out: Path, folder: Path, **options: Any) -> dict[Any, float]:
    """Search with a new object for each generation, as commands that are interrupted do."""
    for generations in range(1, GENERATIONS + 1):
        with database(f"sqlite:///{folder / 's.db'}") as storage:
            study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
            found = search(data, out, study, settings={"generations": generations}, **options)
            found.run()
            result = scores(study)
    return result


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    found = search(data, tmp_path_factory.mktemp("out"))
    found.run()
    return found


def test_fast_learners_keep_their_scores(finished: Search) -> None:
    assert finished.scored == finished.total == GENERATIONS * SETTINGS.population
    assert len(finished.study.trials) < finished.total
    status = status_of(finished.study)
    assert status.preset == "plain"
    assert (status.scored, status.total) == (finished.total, finished.total)
    assert (status.trained_epochs, status.uniform_epochs) == (EPOCHS, EPOCHS)


def test_finalists_are_the_best_of_all_generations_with_the_same_scores(finished: Search) -> None:
    choice = finished.choose()
    best = sorted({t.value for t in finished.study.trials if t.value is not None})
    assert [finalist.loss for finalist in choice.finalists] == best[: len(choice.finalists)]
    for finalist in choice.finalists:
        assert finalist.loss == finalist.search_loss
    assert finished.plan.finalists_of == "all candidates"


@pytest.mark.slow
def test_an_extended_search_is_the_longer_one(finished: Search, data: Path, tmp_path: Path) -> None:
    assert in_database(data, tmp_path / "out", tmp_path) == scores(finished.study)


@pytest.mark.slow
def test_a_second_worker_scores_with_the_weights_of_the_first(
    finished: Search, data: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    with database(url) as storage, database(url) as other:
        study = optuna.create_study(storage=storage, study_name="s")
        first = search(data, tmp_path / "out", study)
        seen: list[UniformProgress] = []
        first.objective.prepare(study, seen.append)
        assert seen[-1].done == EPOCHS
        same = optuna.load_study(storage=other, study_name="s")
        second = search(data, tmp_path / "out", same, leads=False)
        seen.clear()
        second.run(on_paths=seen.append)
        assert not seen
        assert scores(same) == scores(finished.study)


@pytest.mark.slow_except("migo")
@pytest.mark.parametrize("sampler", ["random", "migo", "optuna.samplers:TPESampler"])
def test_every_sampler_scores_with_weights_that_no_trial_changes(
    sampler: str, data: Path, tmp_path: Path
) -> None:
    changes = {"population": 8, "generations": 2} if sampler == "migo" else {}
    if "optuna" in sampler:
        changes = {"population": 6, "generations": 2}
    found = search(data, tmp_path / "out", sampler=sampler, settings=changes)
    found.run()
    assert found.scored == found.total
    for trial in found.study.trials:
        genotype = SPACE.genotype(trial.params)
        assert trial.value == found.objective.evaluate(genotype).loss
    assert found.choose().winner.loss == found.choose().winner.search_loss or sampler == "migo"


def test_the_status_shows_how_far_the_training_is(data: Path, tmp_path: Path) -> None:
    found = search(data, tmp_path / "out")
    lines: list[str] = []
    found.run(
        on_paths=lambda _: lines.append(
            StatusReport(status_of(found.study), storage="sqlite:///s.db").line
        )
    )
    assert lines[0].startswith("shared weights: 0 of 2 epochs trained; ")
    assert lines[-1].startswith("shared weights: 1 of 2 epochs trained; ")
    report = StatusReport(status_of(found.study), storage="sqlite:///s.db")
    assert "2 of 2 epochs trained" in report.text
    assert "epochs" not in report.line


@pytest.mark.slow
def test_the_progress_bar_shows_the_training_and_then_every_generation(
    data: Path, tmp_path: Path
) -> None:
    found, file = search(data, tmp_path / "out"), io.StringIO()
    with SearchProgress(Console(file=file, width=100), found) as progress:
        found.run([progress.after], on_paths=progress.paths)
    first, *others = [line for line in file.getvalue().splitlines() if " left for " not in line]
    assert first == "shared weights trained for 2 epochs"
    assert [line.partition(":")[0] for line in others] == [
        f"generation {number}" for number in range(1, GENERATIONS + 1)
    ]


def test_a_search_without_such_epochs_shows_none_of_it(data: Path, tmp_path: Path) -> None:
    found = search(data, tmp_path / "out", settings={"uniform_epochs": 0, "generations": 1})
    found.run(on_paths=lambda _: pytest.fail("there is no such training"))
    assert status_of(found.study).trained_epochs is None
    assert status_of(found.study).preset == "paper"


def test_paths_keep_the_limits_of_the_search(data: Path, tmp_path: Path) -> None:
    plan = search(data, tmp_path / "out").plan
    rng = np.random.default_rng(0)
    free = [uniform_paths(plan, SPACE)(rng) for _ in range(20)]
    assert len(set(free)) > 10
    asked = SearchRequest(
        data=str(data),
        out=str(tmp_path),
        limits=LimitRequest(parameters=13_000),
        settings={"nodes": SETTINGS.nodes},
    )
    images = search(data, tmp_path / "out").objective.training
    limited = SearchPlan.of(optuna.create_study(), asked).for_images(images)
    assert limited.limits is not None
    cost = limited.limits.by_name(limited.space, SETTINGS.nodes)["parameters"].cost
    assert isinstance(cost, AdditiveCost)
    draw = uniform_paths(limited, SPACE)
    assert max(cost.of(SPACE.params(draw(rng))) for _ in range(20)) <= 13_000
    assert max(cost.of(SPACE.params(genotype)) for genotype in free) > 13_000


def test_a_plan_without_the_epochs_of_its_study_is_refused(data: Path, tmp_path: Path) -> None:
    found = search(data, tmp_path / "out")
    found.run()
    asked = SearchRequest(settings={"uniform_epochs": EPOCHS + 1})
    with pytest.raises(ValueError, match="uniform_epochs 3 does not fit study 's'"):
        SearchPlan.of(found.study, asked)
