"""A second population sampler: members drawn at random, one generation after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.samplers.seats.sampler import PopulationSampler
from relativenas_optuna.samplers.seats.settings import PopulationArguments
from relativenas_optuna.samplers.seats.whole_generations import WholeGenerations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.helpers.samplers.searches import Space


class RandomMembers(WholeGenerations):
    sampler = "RandomMembersSampler"

    def positions(self, index: int) -> NDArray[np.float64]:
        low, high = self.encoding.low, self.encoding.high
        random = np.random.default_rng([self.settings.seed, index])
        return low + random.random((self.settings.population_size, len(low))) * (high - low)


class RandomMembersSampler(PopulationSampler):
    population_class = RandomMembers

    def __init__(
        self,
        space: Space | None = None,
        population_size: int | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(PopulationArguments(population_size, seed, space), **options)
