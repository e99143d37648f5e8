from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from relativenas_optuna.spaces import CellSpace, NASBench201, Space, suggest
from relativenas_optuna.spaces.protocol import check_space, finite_values

Point = tuple[str, int, int, float, float]


class Mixed:
    """One parameter of every kind."""

    distributions: Mapping[str, BaseDistribution] = {
        "kind": CategoricalDistribution(("a", "b")),
        "depth": IntDistribution(2, 10, step=4),
        "width": IntDistribution(1, 64, log=True),
        "rate": FloatDistribution(1e-3, 1.0, log=True),
        "share": FloatDistribution(0.0, 1.0, step=0.25),
    }

    def genotype(self, params: Mapping[str, Any]) -> Point:
        kind, depth, width, rate, share = (params[name] for name in self.distributions)
        return kind, depth, width, rate, share

    def params(self, genotype: Point) -> dict[str, Any]:
        return dict(zip(self.distributions, genotype, strict=True))

    def text(self, genotype: Point) -> str:
        return " ".join(map(str, genotype))

    def parse(self, text: str) -> Point:
        kind, depth, width, rate, share = text.split()
        return kind, int(depth), int(width), float(rate), float(share)

    def random(self, rng: np.random.Generator) -> Point:
        return "a", 2, 1, 0.5, 0.25


def test_a_trial_suggests_every_kind_of_parameter_with_its_own_distribution() -> None:
    space: Space[Point] = Mixed()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        chosen = suggest(space, trial)
        assert trial.distributions == space.distributions
        assert space.params(chosen) == trial.params
        assert space.parse(space.text(chosen)) == chosen


def test_a_distribution_of_another_kind_is_refused() -> None:
    class Odd(Mixed):
        distributions = {"x": object()}  # type: ignore[dict-item]  # noqa: RUF012

    with pytest.raises(TypeError, match="distribution of x must be a CategoricalDistribution"):
        suggest(Odd(), optuna.create_study().ask())


@given(st.integers(0, 2**32 - 1))
def test_text_of_the_cell_space_leads_back(seed: int) -> None:
    space: Space[Any] = CellSpace(nodes=2)
    genotype = space.random(np.random.default_rng(seed))
    assert space.parse(space.text(genotype)) == genotype
    with pytest.raises(ValueError, match="not in this space"):
        CellSpace(nodes=3).parse(space.text(genotype))


def test_spaces_are_told_from_what_is_none() -> None:
    for space in (CellSpace(), NASBench201(), Mixed()):
        check_space(space)
    for other, reason in (
        (CellSpace, "is a class"),
        ("digits", "'digits' lacks distributions, genotype, params, text, parse, random"),
        (None, "None lacks distributions"),
    ):
        with pytest.raises(TypeError, match=reason) as caught:
            check_space(other)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "distribution",
    [
        CategoricalDistribution(("a", 1, None)),
        IntDistribution(-3, 9, step=4),
        IntDistribution(1, 5, log=True),
        FloatDistribution(0.0, 0.7, step=0.1),
        FloatDistribution(-0.3, 1.7, step=0.2),
    ],
)
def test_values_are_those_that_optuna_draws(distribution: BaseDistribution) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {study.ask({"x": distribution}).params["x"] for _ in range(150)}
    assert drawn == set(finite_values(distribution))


def test_a_float_without_steps_has_no_finite_number_of_values() -> None:
    assert not finite_values(FloatDistribution(0.1, 1.0))
    assert not finite_values(FloatDistribution(0.1, 1.0, log=True))
