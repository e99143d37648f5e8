"""Test the figure of costs against limits by the constraints of trials."""

from __future__ import annotations

import optuna
import pytest
from optuna.samplers import RandomSampler

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit
from relativenas_optuna.spaces.nasbench201 import NASBENCH201_OPERATIONS, NASBench201
from relativenas_optuna.visualization import plot_all, plot_cost_limits
from tests.helpers.visualization_studies import searched
from tests.visualization.test_figures import explanation, trace

LENGTHS = {(name,): float(len(name)) for name in NASBENCH201_OPERATIONS}
COSTS = [3, 8, 10, 12, 7]


def limited_study(costs: list[int], *names: str) -> optuna.Study:
    """Return a study of trials with these costs, which have a limit of 10 by each name."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for cost in costs:
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        for name in names:
            trial.set_constraint(name, (cost - 10) / 10)
        study.tell(trial, 1.0)
    return study


def test_costs_are_shares_of_the_limit_by_the_number_of_the_trial() -> None:
    figure = plot_cost_limits(limited_study(COSTS, "parameters"))
    dots, limit = trace(figure, "parameters"), trace(figure, "limit")
    assert list(dots.x) == [0, 1, 2, 3, 4]
    assert list(dots.y) == pytest.approx([10 * cost for cost in COSTS])
    assert list(limit.y) == [100, 100]
    assert "1 above a limit" in figure.layout.title.text
    kept = plot_cost_limits(limited_study(COSTS[:3], "parameters"))
    assert "no trial is above" in kept.layout.title.text


def test_every_limit_has_its_own_dots() -> None:
    figure = plot_cost_limits(limited_study(COSTS, "parameters", "multiply_adds"))
    colours = {trace(figure, name).marker.color for name in ("parameters", "multiply-adds")}
    assert len(colours) == 2


@pytest.mark.parametrize("sampler", [MIGOSampler, RelativeNASSampler])
def test_limits_of_a_sampler_are_shown_by_their_names(
    sampler: type[MIGOSampler | RelativeNASSampler],
) -> None:
    space = NASBench201().distributions
    length = AdditiveCost(0.0, tuple(CostTerm((name,), LENGTHS) for name in space))
    made = sampler(space, population_size=10, seed=0, limits={"length": Limit(length, 70.0)})
    study = optuna.create_study(sampler=made)
    study.optimize(lambda trial: len([trial._suggest(n, d) for n, d in space.items()]), n_trials=30)
    dots = trace(plot_cost_limits(study), "length (limit 70)")
    assert list(dots.x) == list(range(30))
    expected = [sum(map(len, trial.params.values())) / 70 for trial in study.trials]
    assert list(dots.y) == pytest.approx([100 * share for share in expected], rel=1e-3)
    assert max(dots.y) <= 100
    assert "relativenas-cost-limits" in plot_all(study)


def test_other_constraints_are_no_limits() -> None:
    for study in (limited_study(COSTS, "depth"), searched(4), optuna.create_study()):
        assert "no limit" in explanation(plot_cost_limits(study))
        assert "relativenas-cost-limits" not in plot_all(study)
    assert "relativenas-cost-limits" in plot_all(limited_study(COSTS, "parameters"))


def test_many_trials_are_thinned_out() -> None:
    figure = plot_cost_limits(limited_study([5] * 900, "parameters"))
    assert len(trace(figure, "parameters").x) == 800
    assert trace(figure, "limit").x[-1] == 899
