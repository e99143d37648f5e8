"""The comparison with Optuna's samplers: its statistics, functions and stored traces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from relativenas_optuna.spaces import NASBENCH201_OPERATIONS

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import against_baselines
import against_problems
import against_statistics
import against_traces

if TYPE_CHECKING:
    from against_problems import Problem

FUNCTIONS = against_problems.functions(noisy=False)
by_name = pytest.mark.parametrize("problem", FUNCTIONS, ids=lambda problem: str(problem.name))


@by_name
def test_a_function_is_0_at_its_optimum_and_more_elsewhere(problem: Problem) -> None:
    optimum = problem._optimum  # type: ignore[attr-defined]
    grid = isinstance(problem.space["x00"], IntDistribution)
    point = np.round(optimum * (against_problems.GRID - 1)) if grid else optimum
    assert ((optimum > 0) & (optimum < 1)).all()
    assert problem.true(point.tolist()) == pytest.approx(0, abs=1e-9)
    random = np.random.default_rng(0)
    for _ in range(20):
        other = random.random(len(point))
        assert problem.true((np.floor(other * 17) if grid else other).tolist()) > 0.1


def test_noise_has_the_stated_deviation() -> None:
    problem = against_problems.functions(noisy=True)[0]
    point = [0.5] * 10
    random = np.random.default_rng(0)
    noise = np.std([problem.observed(point, random) for _ in range(4000)])
    values = [problem.true(u) for u in random.random((4000, 10)).tolist()]
    assert noise == pytest.approx(against_problems.NOISE * np.std(values), rel=0.1)


@given(told=st.lists(st.integers(0, 5), min_size=1, max_size=20), dice=st.randoms())
def test_an_incumbent_is_the_first_of_the_lowest_told(told: list[int], dice: object) -> None:
    true = [dice.random() for _ in told]  # type: ignore[attr-defined]
    found = against_traces.incumbents({"told": np.array(told, float), "true": np.array(true)})
    expected = [true[told.index(min(told[: i + 1]))] for i in range(len(told))]
    assert found.tolist() == expected


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=9), min_size=1, max_size=3))
def test_a_trace_comes_back_from_its_changes(rows: list[list[int]]) -> None:
    size = min(map(len, rows))
    regrets = np.array([row[:size] for row in rows], float)
    parts = against_traces._split(against_traces._changes(regrets))
    assert [against_traces._whole(part).tolist() for part in parts] == regrets.tolist()


def test_holm_multiplies_the_smallest_by_how_many_there_are() -> None:
    assert against_statistics.holm([0.03, 0.01, 0.9]) == pytest.approx([0.06, 0.03, 0.9])
    assert against_statistics.holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])


def test_ranks_ratios_and_comparisons_are_those_of_a_case_by_hand() -> None:
    ours, other = np.array([[1.0], [1.0]] * 5), np.array([[2.0], [4.0]] * 5)
    regrets = {"ours": {"p": ours, "q": other}, "other": {"p": other, "q": other}}
    names, problems = ["ours", "other"], ["p", "q"]
    ranks = against_statistics.average_ranks(regrets, names, problems, 1)
    assert ranks == {"ours": 1.25, "other": 1.75}
    ratios = against_statistics.mean_ratios(regrets, names, problems, 1, "ours")
    assert ratios["other"] == pytest.approx((1 / 3) ** 0.5)
    found = against_statistics.comparisons(regrets, "ours", "other", problems, 1)
    assert found["p"][0] == -2
    assert found["p"][1] < 0.05
    assert found["q"] == (0, 1)


def test_what_is_trusted_of_stored_studies_comes_back_at_the_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(against_traces, "STORED", tmp_path / "stored")
    problem = against_problems.functions(noisy=True)[1]
    random, trials = np.random.default_rng(0), 120
    points = random.integers(0, 2, (trials, 2)).astype(np.float32)
    true = points @ [2.0, 1.0]
    told = true + 2 * random.standard_normal(trials)
    path = against_traces.study_file(tmp_path, "TPE", problem, 0)
    against_traces._save(path, {"points": points, "told": told, "true": true})
    against_traces.gather(tmp_path, "TPE", [problem])
    against_traces.gather_trusted(tmp_path, "TPE", [problem])
    found = against_traces.stored_trusted("TPE")[problem.name]
    assert found.shape == against_traces.stored("TPE")[problem.name].shape == (1, trials)
    assert np.flatnonzero(~np.isnan(found[0])).tolist() == [49, 99, 119]
    assert found[0, [49, 99, 119]].tolist() == [0, 0, 0]  # some thirty scores of each point
    assert against_traces.checkpoints(500) == [50, 100, 200, 500]


@pytest.fixture(scope="module")
def table() -> Problem:
    """Return a table of the names and choices of NAS-Bench-201, whose loss is a sum of choices."""
    space: dict[str, BaseDistribution] = {
        f"Op{i}": CategoricalDistribution(NASBENCH201_OPERATIONS) for i in range(6)
    }
    losses = np.indices((5,) * 6).sum(axis=0).reshape(-1, 1).astype(float)
    return against_problems.Table("nasbench201-sum", space, False, 500, losses)


def test_a_local_search_moves_to_the_first_better_neighbour(table: Problem) -> None:
    steps = against_baselines.local_search(table, seed=0)
    here = next(steps)
    asked = [here]
    while table.true(here) > 0:
        point = steps.send(table.true(asked[-1]))
        assert point not in asked
        assert sum(a != b for a, b in zip(point, here, strict=True)) == 1
        asked.append(point)
        if table.true(point) < table.true(here):
            here = point
    for _ in range(25):  # no neighbour is better: it restarts anywhere
        point = steps.send(table.true(asked[-1]))
        asked.append(point)
    assert sum(a != b for a, b in zip(asked[-1], here, strict=True)) > 1


@pytest.mark.slow
def test_the_largest_cells_come_first_and_equal_ones_in_random_order(table: Problem) -> None:
    orders = [list(against_baselines.by_size(table, seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    conv_3x3 = NASBENCH201_OPERATIONS.index("nor_conv_3x3")
    assert orders[0][0] == [conv_3x3] * 6
    assert len(set(map(tuple, orders[0]))) == 5**6


def test_the_descriptors_of_a_table_are_those_of_its_cells(table: Problem) -> None:
    describe = against_baselines.described(table)
    assert describe is not None
    found = describe(dict.fromkeys(table.space, "nor_conv_3x3"))
    assert (found["nor_conv_3x3"], found["longest path"]) == (6, 3)
    assert found["log parameters"] > 13
    assert against_baselines.described(FUNCTIONS[0]) is None
