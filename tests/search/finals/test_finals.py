"""Searches that end with finals."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from relativenas_optuna.search.choice import RANDOM_ARCHITECTURES, best_architectures
from relativenas_optuna.search.finals.records import FinalsRecord
from relativenas_optuna.search.finals.run import FinalsHooks
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.finals.store import FinalsStore
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.search.status import status_of
from tests.helpers.tiny_search import SEATS, SEED, SETTINGS, SPACE, choice_of, write_images

FINALS = FinalsSettings(shortlist=4, cells=3, channels=2, passes=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"))


def begin(
    study: optuna.Study,
    out: Path,
    data: Path,
    *,
    finals: FinalsSettings | None = FINALS,
    **changes: Any,
) -> Search:
    request = SearchRequest(
        data=str(data), out=str(out), seed=SEED, settings=asdict(SETTINGS) | changes
    )
    plan = replace(SearchPlan.of(study, request), finals=finals)
    return Search(study, plan, device="cpu")


def resumed(study: optuna.Study, **request: Any) -> Search:
    return Search(study, SearchPlan.of(study, SearchRequest(**request)), device="cpu")


def without_times(record: FinalsRecord | None) -> FinalsRecord:
    assert record is not None
    trainings = tuple(replace(training, seconds=0.0) for training in record.trainings)
    return replace(record, trainings=trainings, version=0)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    search = begin(optuna.create_study(study_name="s"), tmp_path_factory.mktemp("out"), data)
    search.run()
    search.choose()
    return search


def test_the_finals_choose_the_winner(finished: Search) -> None:
    choice, record = choice_of(finished), FinalsStore(finished.study).read()
    assert record is not None
    assert (record.sizes, record.epochs) == ((4, 2), (1, 2))
    assert choice.is_of(finished.plan)
    assert [len(finalist.finals) for finalist in choice.finalists] == [2, 2, 1, 1]
    last = [finalist.finals[-1].loss or math.inf for finalist in choice.finalists]
    assert last[:2] == sorted(last[:2])
    assert last[2:] == sorted(last[2:])
    assert choice.winner.finals[-1].loss == last[0]
    assert next(iter(best_architectures(finished.study))) == choice.winner.genotype
    assert status_of(finished.study).finished


def test_finalists_are_the_best_with_the_final_weights(finished: Search) -> None:
    choice = choice_of(finished)
    trials = sorted(finished.study.trials, key=lambda t: (t.value or 0.0, t.number))
    best = list(dict.fromkeys(SPACE.genotype(trial.params) for trial in trials))[:4]
    losses: dict[Any, float] = {
        genotype: finished.objective.evaluate(genotype).loss for genotype in best
    }
    shared = [finalist for finalist in choice.finalists if finalist.chosen_by == "shared score"]
    expected = sorted(best, key=losses.__getitem__)[: len(shared)]
    assert {finalist.genotype for finalist in shared} == set(expected)
    for finalist in shared:
        own = [t for t in trials if SPACE.genotype(t.params) == finalist.genotype]
        assert (finalist.trial, finalist.search_loss) == (own[0].number, own[0].value)
        assert finalist.loss == losses[finalist.genotype]
    rng = np.random.default_rng([SEED, SETTINGS.generations])
    drawn = [SPACE.random(rng) for _ in range(RANDOM_ARCHITECTURES)]
    accuracies = tuple(finished.objective.evaluate(one).accuracy for one in drawn)
    assert choice.random_accuracies == accuracies


@pytest.mark.slow
def test_the_target_full_counts_parameters_in_the_shortlist(data: Path, tmp_path: Path) -> None:
    search = begin(
        optuna.create_study(study_name="s"), tmp_path, data, finals=replace(FINALS, target="full")
    )
    search.run()
    search.choose()
    cost, trials = search.objective.costs["parameters"], search.study.trials
    trials.sort(key=lambda trial: (trial.value or 0.0, trial.number))
    ordered = list(dict.fromkeys(SPACE.genotype(trial.params) for trial in trials))

    def order(ranked: list[Any]) -> list[Any]:
        sizes = [cost.of(SPACE.params(one)) for one in ranked]
        sums = [n + 2 * sum(other > size for other in sizes) for n, size in enumerate(sizes)]
        return [ranked[n] for n in np.argsort(sums, kind="stable")]

    best = order(ordered)[: FINALS.shortlist]
    shared = [
        finalist for finalist in choice_of(search).finalists if finalist.chosen_by == "shared score"
    ]
    expected = order(sorted(best, key=lambda one: search.objective.evaluate(one).loss))
    assert {finalist.genotype for finalist in shared} == set(expected[: len(shared)])


def test_the_study_has_the_trials_of_the_search_alone(finished: Search) -> None:
    assert len(finished.study.trials) == SEATS
    assert finished.study.best_value == min(t.value or 9 for t in finished.study.trials)


def test_finals_that_are_interrupted_go_on_to_the_same_result(
    data: Path, tmp_path: Path, finished: Search
) -> None:
    study = optuna.create_study()
    begin(study, tmp_path, data).run()
    batches, stops = 0, 0

    def on_batch() -> None:
        nonlocal batches
        batches += 1
        if batches in (3, 7, 14, 21, 31, 32):
            raise KeyboardInterrupt

    while True:
        search = resumed(study)
        try:
            search.run_finals(FinalsHooks(on_batch=on_batch))
        except KeyboardInterrupt:
            stops += 1
            continue
        break
    assert stops == 6
    assert search.choose() == choice_of(finished)
    record, whole = FinalsStore(study).read(), FinalsStore(finished.study).read()
    assert without_times(record) == without_times(whole)


@pytest.mark.slow_except("migo")
@pytest.mark.parametrize("sampler", ["migo", "random", "optuna.samplers:TPESampler"])
def test_searches_of_every_sampler_have_finals(sampler: str, data: Path, tmp_path: Path) -> None:
    settings = asdict(SETTINGS) | {"population": 8, "generations": 2}
    request = SearchRequest(
        data=str(data), out=str(tmp_path), seed=SEED, settings=settings, sampler=sampler
    )
    study = optuna.create_study()
    search = Search(study, replace(SearchPlan.of(study, request), finals=FINALS), device="cpu")
    search.run()
    choice = search.choose()
    assert len(choice.finalists) == 4
    assert [f.most_likely for f in choice.finalists].count(True) == (sampler == "migo")
    chosen_by = sorted(finalist.chosen_by for finalist in choice.finalists)
    assert chosen_by == ["chance", "prediction", "prediction", "shared score"]


@pytest.mark.slow
def test_a_search_with_uniform_paths_has_finals(data: Path, tmp_path: Path) -> None:
    search = begin(optuna.create_study(), tmp_path, data, uniform_epochs=2)
    assert search.plan.training_passes == 2 + SEATS // 4
    search.run()
    choice = search.choose()
    assert len(choice.finalists) == 4
    for finalist in choice.finalists:  # the scores of the search are those of the final weights
        assert finalist.search_loss in (None, finalist.loss)


@pytest.mark.slow
def test_all_evaluations_are_heard_of(data: Path, tmp_path: Path) -> None:
    search = begin(optuna.create_study(), tmp_path, data, generations=1)
    search.run()
    heard: list[None] = []
    search.choose(lambda: heard.append(None))
    assert SETTINGS.population <= len(heard) - RANDOM_ARCHITECTURES
    assert len(heard) <= search.choices


@pytest.mark.slow
def test_more_generations_and_other_settings_make_new_finals(data: Path, tmp_path: Path) -> None:
    study = optuna.create_study()
    search = begin(study, tmp_path, data, generations=1)
    search.run()
    first = search.choose()
    full = resumed(study, target="full")
    assert not first.is_of(full.plan)
    second = full.choose()
    assert second.finals == full.plan.finals == replace(FINALS, target="full")
    shared = [
        {f.genotype for f in c.finalists if f.chosen_by == "shared score"} for c in (first, second)
    ]
    assert shared[0] == shared[1]
    longer = resumed(study, settings={"generations": 2})
    longer.run()
    third = longer.choose()
    assert (third.generations, third.finals) == (2, full.plan.finals)
    none = resumed(study, finals=0)
    fourth = none.choose()
    assert fourth.finals is None
    assert not any(finalist.finals for finalist in fourth.finalists)
    assert fourth.is_of(none.plan)
