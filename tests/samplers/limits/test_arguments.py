"""The arguments `limits` and `costs` of samplers, and limits in the settings of a study."""

from __future__ import annotations

import json
import re
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.limits.limits import Limits
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit

SPACE = {"op": CategoricalDistribution(["conv", "skip"]), "lr": FloatDistribution(0, 1)}
COST = AdditiveCost(1.0, (CostTerm(("op",), {("conv",): 9.0, ("skip",): 0.0}),))
SAMPLERS = [RelativeNASSampler, MIGOSampler]


def refused(sampler: Any, text: str, space: Any = SPACE, **arguments: Any) -> None:
    with pytest.raises(SettingsError, match=re.escape(text)) as error:
        sampler(space, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_wrong_limits_are_refused_in_one_line(sampler: Any) -> None:
    costs = {"size": COST}
    refused(sampler, "limits must map 1 to 16 names to numbers; got 5", limits=5)
    refused(sampler, "limits must map 1 to 16 names to numbers; got {}", limits={})
    refused(
        sampler, "limits['size'] must be a number above 0, got -1", limits={"size": -1}, costs=costs
    )
    refused(
        sampler,
        "limits['size'] must be a number above 0, got 'a'",
        limits={"size": "a"},
        costs=costs,
    )
    refused(
        sampler,
        "limits['latency'] must limit a known cost, and those of `costs` are 'size'",
        limits={"latency": 5},
        costs=costs,
    )
    refused(sampler, "those of `costs` are none", limits={"size": 5})
    refused(
        sampler,
        "costs['size']: cost must be an AdditiveCost",
        limits={"size": 5},
        costs={"size": 3},
    )
    refused(sampler, "costs must map names to costs; got 3", limits={"size": 5}, costs=3)
    refused(sampler, "must be at least 1, the least cost", limits={"size": 0.5}, costs=costs)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_cost_of_another_space_is_refused(sampler: Any) -> None:
    other = AdditiveCost(0.0, (CostTerm(("edge",), {("conv",): 1.0}),))
    text = "limits['c'] counts parameter 'edge', which search_space does not have"
    refused(sampler, text, limits={"c": Limit(other, 1)})
    part = AdditiveCost(0.0, (CostTerm(("op",), {("conv",): 1.0}),))
    refused(sampler, "limits['c'] has no cost for ('skip',)", limits={"c": Limit(part, 1)})
    real = AdditiveCost(0.0, (CostTerm(("lr",), {(0.5,): 1.0}),))
    refused(sampler, "'lr', which has too many values", limits={"c": Limit(real, 1)})


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_limits_need_the_search_space(sampler: Any) -> None:
    study = optuna.create_study(sampler=sampler(limits={"size": 5}, costs={"size": COST}))
    with pytest.raises(SettingsError, match="limits need the search space"):
        study.ask()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_limits_that_are_not_those_of_the_study_are_refused(sampler: Any) -> None:
    study = optuna.create_study(sampler=sampler(SPACE, limits={"size": 5}, costs={"size": COST}))
    study.ask()
    name = re.escape(study.study_name)
    dearer = AdditiveCost(2.0, COST.terms)
    for limits, costs, text in (
        (
            {"size": 6},
            {"size": COST},
            rf"limits={{'size': 6}} does not fit study '{name}', which was",
        ),
        ({"size": 5}, {"size": dearer}, r"limits\['size'\] counts another cost than study"),
        ({"size": 5}, {"size": lambda params: 1.0}, r"limits\['size'\] counts another cost"),
        ({"flops": 5}, {"flops": COST}, r"started with limits={'size': 5}: pass those or leave"),
    ):
        study.sampler = sampler(SPACE, limits=limits, costs=costs)
        with pytest.raises(SettingsError, match=text):
            study.ask()
    study.sampler = sampler()
    assert study.ask(dict(SPACE)).params["op"] == "skip"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_without_limits_refuses_them(sampler: Any) -> None:
    study = optuna.create_study(sampler=sampler(SPACE))
    study.ask()
    study.sampler = sampler(SPACE, limits={"size": 5}, costs={"size": COST})
    with pytest.raises(SettingsError, match="which was started with no limits"):
        study.ask()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_function_that_no_architecture_keeps_is_refused_at_the_start(sampler: Any) -> None:
    refused(
        sampler,
        "the nearest one costs {'c': 3.0}: raise the limits",
        limits={"c": 2},
        costs={"c": lambda params: 3.0 + params["lr"] if params["op"] == "skip" else 9.0},
    )


def test_limits_survive_json() -> None:
    limits = Limits({"a": Limit(COST, 5), "b": Limit(lambda params: 1.0, 2.5)})
    stored = Limits.from_json(json.loads(json.dumps(limits.to_json())))
    assert stored.to_json() == limits.to_json()
    assert stored.costs({"op": "conv"}) == {"a": 10.0}
    assert stored.with_functions(limits).costs({"op": "conv"}) == {"a": 10.0, "b": 1.0}
