from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.spaces import PAPER_OPERATIONS, PUBLISHED, CellSpace, Genotype
from tests.helpers.space_strategies import spaces


def test_the_default_is_the_space_of_the_paper() -> None:
    space = CellSpace()
    assert space.operations == PAPER_OPERATIONS
    assert len(space.distributions) == 32
    assert f"{space.size:.2e}" == "6.89e+21"


def test_variables_come_in_the_papers_order_with_readable_names() -> None:
    space = CellSpace(nodes=2, operations=("a", "b"))
    assert [(name, d.choices) for name, d in space.distributions.items()] == [
        (f"{cell}.node{node}.{kind}{position}", choices)
        for cell in ("normal", "reduce")
        for node in (2, 3)
        for position in (1, 2)
        for kind, choices in (("input", tuple(range(node))), ("op", ("a", "b")))
    ]


def test_distributions_are_fresh_each_time() -> None:
    space = CellSpace()
    space.distributions.clear()
    assert len(space.distributions) == 32


@given(spaces)
def test_size_is_the_product_of_the_numbers_of_choices(space: CellSpace) -> None:
    product = 1
    for distribution in space.distributions.values():
        product *= len(distribution.choices)
    assert space.size == product


@given(spaces, st.integers(0, 2**32 - 1))
def test_params_and_genotype_are_inverse(space: CellSpace, seed: int) -> None:
    genotype = space.random(np.random.default_rng(seed))
    params = space.params(genotype)
    assert list(params) == list(space.distributions)
    assert space.genotype(params) == genotype
    assert space.contains(genotype)


@given(spaces, st.integers(0, 2**32 - 1))
def test_random_is_decided_by_its_generator(space: CellSpace, seed: int) -> None:
    first, second = (space.random(np.random.default_rng(seed)) for _ in range(2))
    assert first == second


def test_random_reaches_every_choice_about_equally_often() -> None:
    space = CellSpace(nodes=2, operations=("a", "b", "c"))
    rng = np.random.default_rng(0)
    draws = [space.params(space.random(rng)) for _ in range(600)]
    for name, distribution in space.distributions.items():
        for choice in distribution.choices:
            share = sum(params[name] == choice for params in draws) / len(draws)
            assert share == pytest.approx(1 / len(distribution.choices), abs=0.1)


def test_suggest_asks_a_trial_for_exactly_the_distributions() -> None:
    space = CellSpace(nodes=2)
    trial = optuna.create_study().ask()
    genotype = space.suggest(trial)
    assert trial.distributions == space.distributions
    assert space.params(genotype) == trial.params


def test_an_enqueued_genotype_comes_back() -> None:
    space = CellSpace()
    genotype = PUBLISHED["RelativeNAS"].genotype
    study = optuna.create_study()
    study.enqueue_trial(space.params(genotype))
    assert space.suggest(study.ask()) == genotype


def test_parameters_of_other_names_are_ignored() -> None:
    space = CellSpace(nodes=1)
    params = {name: d.choices[0] for name, d in space.distributions.items()}
    assert space.genotype({**params, "learning_rate": 0.1}) == space.genotype(params)


def test_a_missing_or_wrong_parameter_is_named() -> None:
    space = CellSpace(nodes=1)
    params = {name: d.choices[0] for name, d in space.distributions.items()}
    with pytest.raises(ValueError, match=r"reduce\.node2\.op2 must be one of .*got 'conv'"):
        space.genotype({**params, "reduce.node2.op2": "conv"})
    del params["normal.node2.input1"]
    with pytest.raises(ValueError, match=r"params must hold normal\.node2\.input1"):
        space.genotype(params)


@pytest.mark.parametrize(
    ("space", "text", "reason"),
    [
        (CellSpace(nodes=2), "normal: {0}\nreduce: {0}", "normal has 1 node"),
        (CellSpace(nodes=1, inputs=1), "normal: {0}\nreduce: {0}", r"normal\.node2 has 2 edge"),
        (CellSpace(nodes=1, operations=("a",)), "normal: {0}\nreduce: {0}", "uses skip_connect"),
        (CellSpace(nodes=2), "normal: {0} | {1}\nreduce: {0} | {1} | concat 3", "reduce concat"),
    ],
)
def test_a_genotype_outside_the_space_is_refused_with_its_reason(
    space: CellSpace, text: str, reason: str
) -> None:
    nodes = "node2 skip_connect(0) skip_connect(0)", "node3 skip_connect(0) skip_connect(2)"
    genotype = Genotype.from_text(text.format(*nodes))
    assert not space.contains(genotype)
    with pytest.raises(ValueError, match=f"not in this space: .*{reason}"):
        space.params(genotype)


@pytest.mark.parametrize(
    ("settings", "error", "reason"),
    [
        ({"nodes": 0}, ValueError, "nodes must be"),
        ({"nodes": 2.0}, ValueError, "nodes must be"),
        ({"inputs": True}, ValueError, "inputs must be"),
        ({"operations": ()}, ValueError, "operations must hold"),
        ({"operations": "skip_connect"}, TypeError, "operations must be a tuple"),
        ({"operations": ("a", "a")}, ValueError, "twice"),
        ({"operations": ("a.b",)}, ValueError, "letters, digits and underscores"),
    ],
)
def test_a_bad_space_is_refused(
    settings: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        CellSpace(**settings)


def test_a_list_of_operations_makes_the_same_space_as_a_tuple() -> None:
    space = CellSpace(operations=["a", "b"])  # type: ignore[arg-type]
    assert hash(space) == hash(CellSpace(operations=("a", "b")))


def test_what_is_no_genotype_is_refused() -> None:
    with pytest.raises(TypeError, match="genotype must be a Genotype, got 'RelativeNAS'"):
        CellSpace().params("RelativeNAS")  # type: ignore[arg-type]
