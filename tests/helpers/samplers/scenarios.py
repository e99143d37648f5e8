"""Searches of every kind, their results without disturbance, and the storages of their studies."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.samplers.random_members import RandomMembersSampler
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    bits,
    is_final,
    loss,
    noise_at,
    sampler_of,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.storages import BaseStorage

    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.sampler import PopulationSampler

SMALL: Space = {
    "depth": IntDistribution(1, 5),
    "op": CategoricalDistribution(["a", "b", None]),
    "skip": CategoricalDistribution([True, False]),
}
# Which parameters the value of "op" asks for, in both spaces.
BRANCHES: dict[bool, dict[Any, list[str]]] = {
    True: {"a": ["depth"], "b": [], None: ["skip"]},
    False: {"a": ["x", "rate"], "b": ["width", "x"], None: ["even"], 3: []},
}
SEED = 3


@dataclass(frozen=True)
class Scenario:
    """A search: its space, its objective and its sampler.

    Attributes:
        finite: True for a space of 30 architectures.
        known: True if the sampler is given the space.
        preset: Preset of RelativeNASSampler, "migo" for MIGOSampler, or "members" for
            RandomMembersSampler.
        objectives: Number of objectives, 1 or 2.
        coarse: True if values are whole numbers, so that there are ties.
        size: Members per generation.
        noisy: True if scores of one architecture differ from seat to seat.
        conditional: True if the value of "op" decides which other parameters are suggested.
    """

    finite: bool
    known: bool
    preset: str
    objectives: int
    coarse: bool
    size: int
    noisy: bool = False
    conditional: bool = False

    @property
    def space(self) -> Space:
        """Distributions of all parameters."""
        return SMALL if self.finite else SPACE

    @property
    def directions(self) -> list[StudyDirection]:
        """Directions of the study."""
        return [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE][: self.objectives]

    def sampler(self) -> PopulationSampler:
        """Return a new sampler."""
        space = self.space if self.known else None
        if self.preset == "members":
            return RandomMembersSampler(space, self.size, SEED)
        return sampler_of(self.preset, space, self.size, seed=SEED)

    def sampler_without_arguments(self) -> PopulationSampler:
        """Return a new sampler that takes the settings of the study."""
        if self.preset == "members":
            return RandomMembersSampler()
        return MIGOSampler() if self.preset == "migo" else RelativeNASSampler()

    def values(self, params: Mapping[str, Any], seat: Seat | None) -> list[float]:
        """Return the values by the parameters, and with `noisy` by the seat."""
        first = loss(params, self.space)
        rest = {name: params[name] for name in list(self.space)[1:] if name in params}
        values = [first, loss(rest, self.space)][: self.objectives]
        if self.noisy:
            values = [value + noise_at(seat) for value in values]
        return [float(round(value)) for value in values] if self.coarse else values

    def objective(self, trial: optuna.Trial) -> list[float]:
        """Return the values of a trial, as the objective of a study."""
        return self.values(self.suggest(trial), seat_of(trial))

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Suggest the parameters that the objective uses, and return them."""
        if not self.conditional:
            return suggest(trial, self.space)
        params = suggest(trial, {"op": self.space["op"]})
        names = BRANCHES[self.finite][params["op"]]
        params |= suggest(trial, {name: self.space[name] for name in names})
        if params.get("skip"):
            params |= suggest(trial, {"depth": self.space["depth"]})
        return params


class UndisturbedSearch:
    """A search by one worker without any trouble, continued as far as it is needed."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._sampler = scenario.sampler()
        self._complete: list[tuple[object, ...]] = []
        self._study = optuna.create_study(directions=scenario.directions, sampler=self._sampler)

    def generation(self, index: int) -> tuple[object, ...]:
        """Return the bits of a complete generation."""
        while index >= len(self._complete):
            self._study.optimize(self._scenario.objective, n_trials=self._scenario.size)
            found = self._sampler.population(self._study)
            assert found is not None
            final = list(map(is_final, found.generations))
            self._complete = bits(found)[: final.index(False)]
        return self._complete[index]


undisturbed = lru_cache(maxsize=None)(UndisturbedSearch)


@lru_cache(maxsize=1)
def _empty_database() -> Path:
    """Return a SQLite file with Optuna's tables: copying them is far faster than making them."""
    path = Path(tempfile.mkdtemp()) / "empty.db"
    storage = RDBStorage(f"sqlite:///{path}")
    storage.remove_session()
    storage.engine.dispose()
    return path


class Place:
    """A storage that can be opened any number of times."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        memory = Path("/dev/shm")  # a disk would be slow
        self._folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self._memory = InMemoryStorage()
        self._databases: list[RDBStorage] = []
        if kind == "sqlite":
            shutil.copy(_empty_database(), self._folder / "study.db")

    def open(self) -> BaseStorage:
        """Return a new storage object; the same one for a study in memory."""
        if self._kind == "memory":
            return self._memory
        if self._kind == "journal":
            return JournalStorage(JournalFileBackend(str(self._folder / "study.log")))
        opened = RDBStorage(f"sqlite:///{self._folder / 'study.db'}", skip_table_creation=True)
        self._databases.append(opened)
        return opened

    def close(self) -> None:
        """Close all storage objects, and remove the files."""
        for opened in self._databases:
            opened.remove_session()
            opened.engine.dispose()
        shutil.rmtree(self._folder)


def point(distribution: BaseDistribution, u: float) -> Any:
    """Return a value of a parameter, for u in [0, 1)."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(u * len(distribution.choices))]
    if isinstance(distribution, IntDistribution):
        count = (distribution.high - distribution.low) // distribution.step + 1
        return distribution.low + distribution.step * int(u * count)
    assert isinstance(distribution, optuna.distributions.FloatDistribution)
    return distribution.low + u * (distribution.high - distribution.low)
