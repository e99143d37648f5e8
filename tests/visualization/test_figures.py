"""Test the figures of studies of every kind against their trials."""

from __future__ import annotations

import json
import statistics
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.visualization import (
    plot_all,
    plot_costs,
    plot_diversity,
    plot_fast_learners,
    plot_generations,
    plot_operations,
)
from tests.helpers.visualization_studies import HOSTILE, SPACE, score, scrambled, searched

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 200_000  # characters of all figures together


def view_of(study: optuna.Study) -> SearchView:
    view = SearchView.of(study)
    assert view is not None
    return view


def no_constant(text: str) -> NoReturn:
    raise AssertionError(f"{text} is no JSON")


def texts(figure: go.Figure) -> list[str]:
    """Return all texts that a figure shows."""
    data = json.loads(figure.to_json(), parse_constant=no_constant)
    found: list[str] = []

    def collect(part: Any) -> None:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict | list):
            for item in part.values() if isinstance(part, dict) else part:
                collect(item)

    collect(data)
    return found


def trace(figure: go.Figure, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def explanation(figure: go.Figure) -> str:
    assert not figure.data
    (annotation,) = figure.layout.annotations
    return " ".join(annotation.text.split("<br>"))


def test_lines_are_the_medians_of_the_learners_of_each_generation() -> None:
    study = searched(26, size=8)
    figure = plot_generations(study)
    values = {trial.number: trial.value for trial in study.trials}
    for role in ("fast", "slow"):
        line = trace(figure, f"{role} learners")
        expected = {}
        for generation in view_of(study).generations:
            learners = [getattr(pair, role) for pair in generation.pairs]
            counted = [generation.members[m].counted for m in learners if m is not None]
            if counted:
                expected[generation.index] = statistics.median(
                    value for n in counted if n is not None and (value := values[n]) is not None
                )
        assert list(line.x) == list(expected)
        assert list(line.y) == pytest.approx(list(expected.values()), rel=1e-3)
    best = trace(figure, "best of the generation")
    first = [value for number, value in values.items() if number < 8 and value is not None]
    assert best.y[0] == pytest.approx(min(first), rel=1e-3)


def test_the_best_of_a_maximised_metric_is_the_largest() -> None:
    study = searched(8, size=8, direction="maximize")
    best = trace(plot_generations(study), "best of the generation")
    assert best.y[0] == pytest.approx(study.best_value, rel=1e-3)


def test_diversity_starts_where_the_random_band_starts() -> None:
    study = searched(40, size=8)
    figure = plot_diversity(study)
    own, chance = trace(figure, "this search"), trace(figure, "random fast learners")
    expected = [g.diversity for g in view_of(study).generations if g.diversity is not None]
    assert list(own.y) == pytest.approx(expected, rel=1e-3)
    assert chance.y[0] == own.y[0]
    assert len(chance.y) == len(own.y)


def test_a_search_with_random_fast_learners_stays_in_the_band() -> None:
    sampler = RelativeNASSampler(SPACE.distributions, population_size=8, seed=1, preset="paper")
    study = optuna.create_study(sampler=sampler)
    noise = np.random.default_rng(0)

    def objective(trial: optuna.Trial) -> float:
        SPACE.suggest(trial)
        return float(noise.random())

    study.optimize(objective, n_trials=160)
    figure = plot_diversity(study)
    own, band = trace(figure, "this search"), figure.data[0]
    low, high = np.array(band.y[: len(own.y)]), np.array(band.y[len(own.y) :][::-1])
    inside = (low - 0.1 <= np.array(own.y)) & (np.array(own.y) <= high + 0.1)
    assert inside.mean() > 0.8


def test_a_random_search_has_no_band() -> None:
    names = {trace.name for trace in plot_diversity(searched(12, preset="random")).data}
    assert names == {"this search"}


def test_the_most_frequent_operation_is_shown() -> None:
    study = searched(12)
    figure = plot_operations(study)
    heats = [t for t in figure.data if t.type == "heatmap"]
    swatches = [t for t in figure.data if t.type == "scatter"]
    seen = {}
    for heat, swatch in zip(heats, swatches, strict=True):
        for row, line in zip(heat.y, heat.z, strict=True):
            for x, share in zip(heat.x, line, strict=True):
                if share is not None:
                    assert (row, x) not in seen
                    seen[row, x] = (swatch.name, share)
    for generation in view_of(study).generations:
        known = [p for p in generation.params if p is not None]
        for edge in SPACE.distributions:
            if known and ".op" in edge:
                name, share = seen.pop((edge, generation.index))
                counts = [[p[edge].replace("_", " ") for p in known].count(c) for c in [name]]
                assert share == round(100 * counts[0] / len(known))
                assert counts[0] == max([p[edge] for p in known].count(c) for c in SPACE.operations)
    assert not seen


def test_the_front_holds_the_unbeaten_trials() -> None:
    study = searched(40, size=8)
    front = trace(plot_costs(study), "Pareto front")
    points = {t.number: (t.user_attrs["multiply_adds"], t.values[0]) for t in study.trials}
    expected = {
        str(number)
        for number, (cost, value) in points.items()
        if not any(
            (c <= cost and v <= value and (c, v) != (cost, value)) for c, v in points.values()
        )
    }
    assert set(front.text) == expected
    drawn = len(front.x) + len(trace(plot_costs(study), "trials").x)
    assert drawn == len(points)


def test_fast_and_slow_learners_are_counted_by_pairs() -> None:
    study = searched(26, size=8)
    figure = plot_fast_learners(study)
    won, lost = (trace(figure, f"{role} learner") for role in ("fast", "slow"))
    pairs = [p for g in view_of(study).generations for p in g.pairs if p.fast is not None]
    assert list(won.x) == list(range(8))
    assert list(won.y) == [sum(p.fast == m for p in pairs) for m in range(8)]
    assert list(lost.y) == [sum(p.slow == m for p in pairs) for m in range(8)]


@given(
    seed=st.integers(0, 9999),
    trials=st.integers(0, 40),
    directions=st.sampled_from([["minimize"], ["maximize"], ["minimize", "maximize"]]),
)
@settings(max_examples=15)
def test_every_study_gives_figures_that_are_json(
    seed: int, trials: int, directions: list[str]
) -> None:
    study = scrambled(seed, trials, directions=directions)
    for figure in plot_all(study).values():
        assert figure.layout.title.text
        assert texts(figure)


def test_figures_without_seats_say_why_they_are_empty() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(score, n_trials=60)
    for plot in (plot_generations, plot_diversity, plot_fast_learners):
        assert "has a seat" in explanation(plot(study))
    assert len(trace(plot_costs(study), "trials").x) > 40
    columns = {x for t in plot_operations(study).data if t.type == "heatmap" for x in t.x}
    assert len(columns) == 40


def test_a_study_without_categoricals_has_an_empty_figure() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    assert "multiply_adds" in explanation(plot_costs(study))
    assert "names" in explanation(plot_operations(study))
    assert len(plot_all(optuna.create_study())) == 5


def test_trials_that_violate_a_constraint_are_not_drawn_with_their_cost() -> None:
    study = searched(4)
    trial = study.ask()
    score(trial)
    trial.set_constraint("size", 1.0)
    study.tell(trial, -5.0)
    shown = [n for t in plot_costs(study).data for n in t.text]
    assert sorted(shown) == ["0", "1", "2", "3"]


def test_names_with_html_are_text_and_alike_ones_keep_their_rows() -> None:
    names = [HOSTILE, f"{HOSTILE}1", f"{HOSTILE}2", "<a href='javascript:x'>y</a>"]
    space = {name: optuna.distributions.CategoricalDistribution(names[:2]) for name in names}
    study = optuna.create_study(sampler=RelativeNASSampler(space, population_size=2, seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([HOSTILE])
    study.optimize(lambda t: len([t._suggest(n, d) for n, d in space.items()]), n_trials=4)
    figures = plot_all(study).values()
    assert sum(text.count("&lt;") for figure in figures for text in texts(figure)) > 4
    for figure in figures:
        for text in texts(figure):
            assert "<img" not in text
            assert "<a" not in text
    rows = next(t for t in plot_operations(study).data if t.type == "heatmap").y
    assert len(set(rows)) == len(names)


def test_an_objective_that_is_not_there_is_refused() -> None:
    study = searched(4)
    for plot in (plot_generations, plot_costs):
        with pytest.raises(ValueError, match="objective must be a whole number from 0 to 0"):
            plot(study, objective=1)
    two = scrambled(0, 20, directions=["minimize", "maximize"])
    assert plot_generations(two, objective=1).layout.yaxis.title.text == "objective 1"


def test_failed_trials_are_left_out() -> None:
    study = searched(4)
    study.tell(study.ask(), state=TrialState.FAIL)
    assert sum(map(len, (t.x for t in plot_costs(study).data))) == 4


@pytest.mark.slow
def test_long_searches_stay_below_the_limit() -> None:
    from relativenas_optuna.spaces.cell_space import CellSpace

    space = CellSpace(nodes=4)
    sampler = RelativeNASSampler(space.distributions, population_size=20, seed=0, preset="paper")
    study = optuna.create_study(sampler=sampler)
    rng = np.random.default_rng(0)

    def objective(trial: optuna.Trial) -> float:
        space.suggest(trial)
        trial.set_user_attr("multiply_adds", int(rng.integers(10**9)))
        return float(rng.random())

    study.optimize(objective, n_trials=4000)
    assert sum(len(figure.to_json()) for figure in plot_all(study).values()) < MOST
