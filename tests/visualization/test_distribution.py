"""Test the figures of a sampler's distribution against the distribution itself."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from scipy.stats import entropy

from relativenas_optuna import MIGOSampler
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.spaces.nasbench201 import NASBench201
from relativenas_optuna.visualization import (
    plot_all,
    plot_distribution,
    plot_entropy,
    plot_generations,
)
from relativenas_optuna.visualization._entropy import relative_entropy
from tests.helpers.visualization_studies import HOSTILE, score, searched
from tests.visualization.test_figures import explanation, texts, trace

SPACE = NASBench201()


def migo_study(
    trials: int, space: dict[str, optuna.distributions.BaseDistribution]
) -> optuna.Study:
    """Return a study in which the first value of every categorical is the best."""
    study = optuna.create_study(sampler=MIGOSampler(space, population_size=10, seed=0))

    def objective(trial: optuna.Trial) -> float:
        values = {name: trial._suggest(name, of) for name, of in space.items()}
        return sum(
            of.choices.index(values[name]) if isinstance(of, CategoricalDistribution) else 0.0
            for name, of in space.items()
        )

    study.optimize(objective, n_trials=trials)
    return study


def population_of(study: optuna.Study) -> DistributionPopulation:
    population = population_in(study)
    assert isinstance(population, DistributionPopulation)
    return population


@pytest.mark.parametrize("generation", [0, 2, None])
def test_every_probability_is_in_its_field(
    generation: int | None,
) -> None:
    study = migo_study(40, dict(SPACE.distributions))
    (heat,) = plot_distribution(study, generation=generation).data
    marginals = population_of(study).marginals(4 if generation is None else generation)
    fields = {
        (row, column): p
        for row, line in zip(heat.y, heat.z, strict=True)
        for column, p in zip(heat.x, line, strict=True)
    }
    expected = {
        (marginal.name, value): p
        for marginal in marginals
        for value, p in zip(marginal.values, marginal.probabilities, strict=True)
    }
    assert fields == pytest.approx(expected, abs=1e-4)
    if generation is None:
        best = [fields[name, "none"] for name in SPACE.distributions]
        assert sum(best) / len(best) > 0.2  # it has learned


def test_variables_with_the_same_values_are_next_to_each_other() -> None:
    space = CellSpace(nodes=4)
    study = migo_study(10, dict(space.distributions))
    (heat,) = plot_distribution(study).data
    assert sorted(heat.y) == sorted(space.distributions)
    kinds = ["op" in name.split(".")[-1] for name in heat.y]
    assert sum(a != b for a, b in pairwise(kinds)) == 1
    numbers = [name for name in heat.x if name.isdigit()]
    assert list(heat.x) == [*numbers, *space.operations]
    for row, line in zip(heat.y, heat.z, strict=True):
        there = [x for x, p in zip(heat.x, line, strict=True) if p is not None]
        assert there == [str(choice) for choice in space.distributions[row].choices]
        assert sum(p for p in line if p is not None) == pytest.approx(1, abs=1e-3)


def test_ranges_of_many_numbers_have_their_places_as_columns() -> None:
    space = {f"x{i}": FloatDistribution(0.0, 1.0 + i) for i in range(8)}
    study = migo_study(20, dict(space))
    (heat,) = plot_distribution(study).data
    marginals = population_of(study).marginals(2)
    most = max(len(m.values) for m in marginals)
    assert list(heat.x) == [str(place) for place in range(1, most + 1)]
    low, high = marginals[0].values[0]
    assert heat.text[0][0] == f"{low:.3g} to {high:.3g}"


def test_a_generation_that_is_not_there_is_refused() -> None:
    study = migo_study(10, dict(SPACE.distributions))
    with pytest.raises(ValueError, match="generation must be None or a whole number from 0 to 1"):
        plot_distribution(study, generation=2)


def test_hostile_names_are_text_in_every_figure() -> None:
    space = {HOSTILE: CategoricalDistribution([HOSTILE, f"{HOSTILE}2", None, True])}
    study = migo_study(20, dict(space))
    shown = [text for figure in plot_all(study).values() for text in texts(figure)]
    assert any("&lt;img" in text for text in shown)
    assert not any("<img" in text for text in shown)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9).filter(lambda p: sum(p) > 0.1))
def test_the_relative_entropy_is_the_entropy_to_the_base_of_the_number_of_values(
    weights: list[float],
) -> None:
    probabilities = [weight / sum(weights) for weight in weights]
    expected = entropy(probabilities, base=len(probabilities))
    assert relative_entropy(probabilities) == pytest.approx(expected, abs=1e-9)


def test_the_relative_entropy_of_known_distributions() -> None:
    assert relative_entropy([0.25] * 4) == pytest.approx(1)
    assert relative_entropy([0.5, 0.5, 0, 0]) == pytest.approx(0.5)
    assert relative_entropy([0, 1]) == 0
    assert relative_entropy([1]) == 0
    assert not math.copysign(1, relative_entropy([1.0, 0.0])) < 0


def test_the_entropy_falls_from_100_percent_as_the_search_decides() -> None:
    study = migo_study(60, dict(SPACE.distributions))
    line = trace(plot_entropy(study), "mean of the variables")
    population = population_of(study)
    assert list(line.x) == list(range(7))
    for index, shown in zip(line.x, line.y, strict=True):
        each = [relative_entropy(m.probabilities) for m in population.marginals(index)]
        assert shown == pytest.approx(100 * np.mean(each), rel=1e-3)
    assert line.y[0] == 100
    assert line.y[-1] < 90


def test_a_study_of_another_sampler_has_no_distribution() -> None:
    other = optuna.create_study(sampler=RandomSampler(seed=0))
    other.optimize(score, n_trials=3)
    for study in (other, searched(8)):
        for plot in (plot_distribution, plot_entropy):
            assert "distribution" in explanation(plot(study))
        assert not {"relativenas-distribution", "relativenas-entropy"} & set(plot_all(study))


def test_a_sampler_without_pairs_has_one_line_for_all_members() -> None:
    study = migo_study(30, dict(SPACE.distributions))
    figure = plot_generations(study)
    members = trace(figure, "all members")
    values = [trial.values[0] for trial in study.trials]
    expected = [float(np.median(values[start : start + 10])) for start in (0, 10, 20)]
    assert list(members.y) == pytest.approx(expected)
    assert "learners" not in " ".join(texts(figure))
    assert set(plot_all(study)) == {
        f"relativenas-{name}"
        for name in (
            "generations",
            "distribution",
            "entropy",
            "diversity",
            "operations",
            "costs",
        )
    }
