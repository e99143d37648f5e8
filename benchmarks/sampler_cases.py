"""Search space, samplers, databases and clock of the benchmarks of the sampler."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.storages.opening import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

Result = TypeVar("Result")

CHOICES = tuple(f"operation_{number}" for number in range(8))
NAMES = tuple(f"node{number:02}" for number in range(32))
SPACE: dict[str, BaseDistribution] = {name: CategoricalDistribution(CHOICES) for name in NAMES}
PRESETS = ("plain", "paper")
SERVERS = {
    "PostgreSQL": "RELATIVENAS_TEST_POSTGRESQL",
    "MariaDB": "RELATIVENAS_TEST_MYSQL",
}


def suggest(trial: Trial) -> float:
    """Ask for all parameters as an objective does; returns their loss."""
    return loss({name: trial.suggest_categorical(name, CHOICES) for name in NAMES})


def loss(params: Mapping[str, Any]) -> float:
    """Return the number of operations that are not the last one, and a fraction to break ties."""
    kinds = [CHOICES.index(params[name]) for name in NAMES]
    return sum(kind != 7 for kind in kinds) + sum(kinds) / 1000


def ours(preset: str, population_size: int = 20) -> RelativeNASSampler:
    """Our sampler with the search space known beforehand."""
    return RelativeNASSampler(SPACE, population_size=population_size, seed=0, preset=preset)


class Timed(BaseSampler):
    """A sampler whose hooks are clocked: `seconds` is the time spent inside them so far."""

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler
        self.seconds = 0.0

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._clock(self.sampler.before_trial, study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._clock(self.sampler.infer_relative_search_space, study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._clock(self.sampler.sample_relative, study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        return self._clock(
            self.sampler.sample_independent, study, trial, param_name, param_distribution
        )

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: Any, values: Sequence[float] | None
    ) -> None:
        self._clock(self.sampler.after_trial, study, trial, state, values)

    def _clock(self, hook: Callable[..., Result], *arguments: Any) -> Result:
        begin = time.perf_counter()
        try:
            return hook(*arguments)
        finally:
            self.seconds += time.perf_counter() - begin


@contextmanager
def opened(url: str, *, stock: bool) -> Iterator[RDBStorage]:
    """Yield a database that Optuna opened (`stock`) or `open_storage`, and close it."""
    storage = RDBStorage(url) if stock else open_storage(url)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def study_for_a_while(storage: BaseStorage, sampler: BaseSampler, label: str) -> Iterator[Study]:
    """Yield a new study, deleted in the end."""
    name = f"relativenas-benchmark-{label}-{os.getpid()}-{time.time_ns()}"
    study = optuna.create_study(study_name=name, storage=storage, sampler=sampler)
    try:
        yield study
    finally:
        optuna.delete_study(study_name=name, storage=storage)


def server(name: str) -> str | None:
    """Return the URL of a database server, where its environment variable is set."""
    return os.environ.get(SERVERS[name])
