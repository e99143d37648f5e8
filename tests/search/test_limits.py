"""Limits of a search: no trial is above them, they are stored, and mistakes are one line."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from relativenas_optuna.exceptions import SearchError, SettingsError
from relativenas_optuna.networks import cost, costs_of
from relativenas_optuna.networks.network import CifarNetwork
from relativenas_optuna.search.choice import RANDOM_ARCHITECTURES
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.limits import LimitRequest, SearchLimits, check_same_limits
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.spaces import registered_space
from relativenas_optuna.spaces.costs import AdditiveCost
from relativenas_optuna.training.device import device_names
from tests.helpers.tiny_search import SETTINGS, SPACE, write_images
from tests.networks.test_latency import TABLE

CELLS, NASBENCH201 = registered_space("cells"), registered_space("nasbench201")
SIZES: dict[str, Any] = {
    "channels": 8,
    "cells": 5,
    "num_classes": 10,
    "input_size": (3, 8, 8),
    "nodes": SPACE.nodes,
}


@cache
def parameters() -> AdditiveCost:
    """Return the parameters of the network that is trained after a search."""
    return costs_of("cells", **SIZES)["parameters"]


@cache
def tight() -> int:
    """Return a number of parameters that about one in twenty architectures keeps."""
    rng = np.random.default_rng(0)
    costs = [parameters().of(SPACE.params(SPACE.random(rng))) for _ in range(100)]
    return round(float(np.quantile(costs, 0.05)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"))


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return the file of a table of NAS-Bench-201 that was measured on this machine."""
    path = tmp_path / "table.json"
    replace(TABLE, device=device_names()[-1]).write(path)
    return str(path)


def search(
    data: Path, out: Path, study: optuna.Study | None = None, *, leads: bool = True, **request: Any
) -> Search:
    study = optuna.create_study(study_name="s") if study is None else study
    settings = asdict(SETTINGS) | {"population": 8, "generations": 2}
    asked = SearchRequest(
        data=str(data), out=str(out), settings=settings, seed=3, finals=0, **request
    )
    return Search(study, SearchPlan.of(study, asked), device="cpu", leads=leads)


def refused(request: LimitRequest, space: Any = CELLS) -> str:
    with pytest.raises(SearchError) as caught:
        SearchLimits.of(request, space, 4)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def given(request: LimitRequest, space: Any = CELLS) -> SearchLimits:
    limits = SearchLimits.of(request, space, 4)
    assert limits is not None
    return limits


@pytest.mark.slow_except("relativenas")
@pytest.mark.parametrize("sampler", ["relativenas", "migo", "regularized-evolution", "random"])
def test_no_trial_is_above_a_limit_of_the_network_that_is_trained(
    sampler: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(data, tmp_path, sampler=sampler, limits=LimitRequest(parameters=tight()))
    found.run()
    trials = found.study.get_trials()
    assert len(trials) == 16
    for trial in trials:
        network = CifarNetwork(SPACE.genotype(trial.params), channels=8, cells=5, num_classes=10)
        assert cost(network, (3, 8, 8)).parameters <= tight()
    # Nor is the result, or a random architecture that it is compared with.
    evaluated: list[Any] = []
    evaluate = found.objective.evaluate

    def watched(genotype: Any) -> Any:
        evaluated.append(genotype)
        return evaluate(genotype)

    monkeypatch.setattr(found.objective, "evaluate", watched)
    found.choose()
    assert len(evaluated) > RANDOM_ARCHITECTURES
    assert len(set(evaluated[-RANDOM_ARCHITECTURES:])) > 1
    assert all(parameters().of(SPACE.params(one)) <= tight() for one in evaluated)


@pytest.mark.slow
def test_nobody_in_the_finals_is_above_a_limit(data: Path, tmp_path: Path) -> None:
    finals = FinalsSettings(shortlist=8, rungs=1, passes=1, cells=3, channels=2, target="full")
    plain = search(data, tmp_path, limits=LimitRequest(parameters=tight()))
    found = Search(plain.study, replace(plain.plan, finals=finals), device="cpu")
    found.run()
    finalists = found.choose().finalists
    assert [finalist.chosen_by for finalist in finalists].count("prediction") == 4
    assert len({finalist.genotype for finalist in finalists}) == 8
    costs = [parameters().of(SPACE.params(one.genotype)) for one in finalists]  # type: ignore[arg-type]
    assert max(costs) <= tight()


def test_the_study_stores_the_limits_for_its_workers(data: Path, tmp_path: Path) -> None:
    leader = search(data, tmp_path, limits=LimitRequest(parameters=tight(), multiply_adds=1e9))
    worker = search(data, tmp_path, leader.study, leads=False)
    limits = worker.plan.limits
    assert limits == leader.plan.limits
    assert limits is not None
    assert limits.by_name("cells", SPACE.nodes)["parameters"].cost == parameters()
    assert (limits.num_classes, limits.input_size) == (10, (3, 8, 8))
    trial = leader.study.ask()  # by the worker's sampler, the newest one
    params = {**trial.relative_params}
    assert parameters().of(params) <= tight()


def test_a_changed_limit_of_a_started_study_is_refused(data: Path, tmp_path: Path) -> None:
    most = tight()
    begun = search(data, tmp_path, limits=LimitRequest(parameters=most)).study
    for same in (LimitRequest(), LimitRequest(parameters=most, cells=5)):
        search(data, tmp_path, begun, limits=same)
    for name, value, was in (
        ("parameters", most + 1, most),
        ("multiply_adds", 1000.0, None),
        ("cells", 6, 5),
    ):
        with pytest.raises(SearchError) as caught:
            search(data, tmp_path, begun, limits=LimitRequest(**{name: value}))  # type: ignore[arg-type]
        assert str(caught.value) == (
            f"limit {name} {value!r} does not fit study 's', which was started with {was!r}: "
            f"leave it out to go on, or take another --study"
        )
    without = search(data, tmp_path / "b").study
    with pytest.raises(SearchError, match=r"limit parameters 9 does not fit .* with no limits"):
        search(data, tmp_path / "b", without, limits=LimitRequest(parameters=9))


@pytest.mark.parametrize("sampler", ["optuna.samplers:TPESampler", "optuna.samplers:NSGAIISampler"])
def test_a_sampler_that_ignores_limits_is_refused(sampler: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=f"sampler '{sampler}' cannot keep limits, because"):
        search(data, tmp_path, sampler=sampler, limits=LimitRequest(parameters=1e6))


@pytest.mark.slow
def test_an_impossible_limit_is_refused_with_the_least_cost(data: Path, tmp_path: Path) -> None:
    study = optuna.create_study(study_name="s")
    least = round(parameters().bounds[0])
    with pytest.raises(SettingsError, match=f"{least:,}"):
        search(data, tmp_path, study, limits=LimitRequest(parameters=least - 1))
    assert not study.user_attrs
    assert not study.get_trials()
    found = search(data, tmp_path, study, limits=LimitRequest(parameters=least))
    found.run()
    assert {parameters().of(trial.params) for trial in study.get_trials()} == {least}


def test_lines_for_people_name_the_network_and_the_range_of_its_costs() -> None:
    limits = given(LimitRequest(parameters=20_000, channels=9, cells=4))
    assert limits.by_name("cells", 1) == {}  # before the images are known
    limits = limits.for_images((3, 8, 8), 10)
    (line,) = limits.lines(limits.by_name("cells", 1))
    found = costs_of("cells", **SIZES | {"channels": 9, "cells": 4, "nodes": 1})
    low, high = found["parameters"].bounds
    assert low < 20_000 < high
    assert line == (
        f"limit 20,000 parameters, in networks of 9 channels and 4 cells, which have {low:,.0f} to "
        f"{high:,.0f}"
    )
    loose = given(LimitRequest(parameters=2e6)).for_images((3, 8, 8), 10)
    (line,) = loose.lines(loose.by_name("cells", 1))
    assert line.startswith("limit 2,000,000 parameters, in networks of 8 channels and 5 cells, ")
    assert line.endswith(
        ": every architecture keeps it (--limit-channels and --limit-cells set the size)"
    )


# --- latency tables


def test_a_limit_of_the_latency_holds_for_the_network_of_the_table(table: str) -> None:
    limits = given(LimitRequest(latency=5.5, latency_table=table), NASBENCH201)
    assert (limits.channels, limits.cells) == (16, 17)
    by_name = limits.for_images((3, 32, 32), 10).by_name("nasbench201", 4)
    assert by_name["latency"].cost == TABLE.cost
    assert by_name["latency"].at_most == 5.5
    (line,) = limits.lines(by_name)
    assert line.startswith(f"limit 5.5 ms on {device_names()[-1]}, in networks of 16 channels and")
    check_same_limits(LimitRequest(latency=5.5, latency_table=table), limits, "s")


def test_a_table_of_something_else_is_refused(table: str, tmp_path: Path) -> None:
    asked = LimitRequest(latency=5, latency_table=table)
    assert "is of space 'nasbench201', and 'cells' is needed" in refused(asked)
    assert "is of channels 16, and 8 is needed" in refused(replace(asked, channels=8), NASBENCH201)
    assert "is of cells 17, and 20 is needed" in refused(replace(asked, cells=20), NASBENCH201)
    with pytest.raises(
        SearchError, match="is of images 3x32x32, and those of the search are 1x8x8"
    ):
        given(asked, NASBENCH201).for_images((1, 8, 8), 10)
    elsewhere = tmp_path / "elsewhere.json"
    TABLE.write(elsewhere)
    asked = LimitRequest(latency=5, latency_table=str(elsewhere))
    line = refused(asked, NASBENCH201)
    assert "is of device 'a device', and not of" in line
    assert "--latency-device 'a device'" in line
    given(replace(asked, latency_device="a device"), NASBENCH201)
    wrong = replace(asked, latency_device="another")
    assert "and not of 'another'" in refused(wrong, NASBENCH201)
    elsewhere.write_text("{}")
    assert "is no latency table of `relativenas latency`" in refused(asked, NASBENCH201)


def test_another_table_for_a_started_study_is_refused(table: str, tmp_path: Path) -> None:
    limits = given(LimitRequest(latency=5.5, latency_table=table), NASBENCH201)
    other = tmp_path / "other.json"
    slower = replace(TABLE.cost, constant=TABLE.cost.constant + 1)
    replace(TABLE, device=device_names()[-1], cost=slower).write(other)
    with pytest.raises(SearchError, match="was started with 'another table'"):
        check_same_limits(LimitRequest(latency_table=str(other)), limits, "s")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"channels": 8}, "channels of a limit needs a limit: give --max-parameters"),
        ({"latency_device": "x"}, "latency_device of a limit needs a limit"),
        ({"latency": 5}, "needs both --max-latency MS and --latency-table FILE"),
        ({"latency_table": "x.json"}, "latency_table of a limit needs a limit"),
        ({"parameters": 5, "latency_table": "x.json"}, "needs both --max-latency MS and"),
    ],
)
def test_what_lacks_its_limit_or_table_is_refused(asked: dict[str, Any], said: str) -> None:
    assert said in refused(LimitRequest(**asked))


@pytest.mark.parametrize(
    ("name", "value"),
    [("parameters", 0), ("latency", float("nan")), ("channels", 0), ("cells", 2.5), ("cells", 257)],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be "):
        LimitRequest(**{name: value})


@pytest.mark.parametrize(
    "junk",
    [
        {"parameters": -1},
        {"input_size": [3, 8]},
        {"num_classes": 0},
        {"latency": 3.0},
        {"latency": 3.0, "latency_cost": "[" * 100_000},
        {"latency": 3.0, "latency_cost": '{"constant": -1, "terms": []}'},
        {"odd": 1},
    ],
)
def test_limits_that_no_search_stored_are_refused_in_one_line(
    junk: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    study = search(data, tmp_path, limits=LimitRequest(parameters=1e5)).study
    stored = study.user_attrs[PLAN_ATTRIBUTE]
    study.set_user_attr(PLAN_ATTRIBUTE, stored | {"limits": stored["limits"] | junk})
    with pytest.raises(SearchError, match=r"^study 's' has an unreadable attribute .*$"):
        SearchPlan.stored_in(study)
    json.dumps(stored)
