"""Optuna's own test suites for samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from tests.helpers.samplers.random_members import RandomMembersSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.samplers import BaseSampler


SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "plain, 20": lambda: RelativeNASSampler(population_size=20, seed=0, preset="plain"),
    "plain, 2": lambda: RelativeNASSampler(population_size=2, seed=0, preset="plain"),
    "paper, 2": lambda: RelativeNASSampler(population_size=2, seed=0, preset="paper"),
    "migo, 5": lambda: MIGOSampler(population_size=5, seed=0, bins=5, pruning_interval=1),
    "members, 20": lambda: RandomMembersSampler(population_size=20, seed=0),
}

SLOW = ("plain, 2", "members, 20")  # what they run, the others run too
FAST = [name for name in SAMPLERS if name not in SLOW]


class TestPopulationSamplers(
    BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase
):
    @pytest.fixture(params=[*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return SAMPLERS[request.param]
