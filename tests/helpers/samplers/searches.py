"""Small searches that several tests run, and the values that they compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
from relativenas_optuna.samplers.relative_nas.settings import Arguments
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.samplers.seats.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
    from relativenas_optuna.samplers.relative_nas.surrogate.settings import Screening
    from relativenas_optuna.samplers.seats import population as seats
    from relativenas_optuna.samplers.seats.sampler import PopulationSampler

Space = dict[str, BaseDistribution]

SPACE: Space = {
    "x": FloatDistribution(-1, 1),
    "rate": FloatDistribution(1e-4, 1, log=True),
    "width": IntDistribution(1, 64, log=True),
    "even": IntDistribution(-4, 4, step=2),
    "op": CategoricalDistribution(["a", "b", None, 3]),
}


both_spaces = pytest.mark.parametrize("space", [SPACE, None], ids=["known", "learned"])


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """Suggest every parameter of a space."""
    return {name: trial._suggest(name, space[name]) for name in space}


def loss(params: Mapping[str, Any], space: Space) -> float:
    """Return a rugged loss of the parameters, whatever their order."""
    return math.fsum(
        math.cos(1 + 3 * len(name) + 2 * float(space[name].to_internal_repr(params[name])))
        for name in params
    )


def loss_of(space: Space) -> Callable[[optuna.Trial], float]:
    """Return the objective of a study."""
    return lambda trial: loss(suggest(trial, space), space)


def noisy_loss_of(space: Space) -> Callable[[optuna.Trial], float]:
    """Return the objective with noise that depends on the seat alone."""

    def objective(trial: optuna.Trial) -> float:
        return loss(suggest(trial, space), space) + noise_at(seat_of(trial))

    return objective


def noise_at(seat: Seat | None) -> float:
    """Return the Gaussian noise at a seat, about as large as differences of architectures.

    It is 0 for a trial without a seat, which the worker of another sampler runs.
    """
    if seat is None:
        return 0.0
    return float(np.random.default_rng((seat.generation, seat.number)).standard_normal())


OBJECTIVE = loss_of(SPACE)


def search(
    *,
    space: Space | None,
    trials: int,
    population_size: int = 4,
    seed: int = 3,
    preset: str = "paper",
    screening: Screening | None = None,
    objective: Callable[[optuna.Trial], float] = OBJECTIVE,
    **study_settings: Any,
) -> optuna.Study:
    """Return the study of an uninterrupted search; without `space` the sampler learns it."""
    sampler = sampler_of(preset, space, population_size, seed=seed, screening=screening)
    study = optuna.create_study(sampler=sampler, **study_settings)
    study.optimize(objective, n_trials=trials, catch=(RuntimeError,))
    return study


def trials_of(size: int, generations: int) -> int:
    """Return the number of trials of whole generations with preset "plain"."""
    return size + (generations - 1) * size // 2


def population(study: optuna.Study, size: int = 4) -> PairedPopulation:
    """Return the population as a new sampler reads it from the study."""
    found = RelativeNASSampler(population_size=size).population(study)
    assert found is not None
    return found


def bits(found: seats.Population) -> list[tuple[object, ...]]:
    """Return all values of a population by generation, to be compared bit by bit."""
    return list(map(_bits, found.generations))


def _bits(generation: seats.Generation) -> tuple[object, ...]:
    if isinstance(generation, PairedGeneration):
        return (
            generation.pairs.tolist(),
            None if generation.encoding is None else list(generation.encoding.space),
            np.nan_to_num(generation.positions, nan=-1e9).tolist(),
            np.nan_to_num(generation.proposed, nan=-1e9).tolist(),
            generation.velocities.tolist(),
            generation.ready.tolist(),
            generation.kept.tolist(),
            generation.reevaluated.tolist(),
            generation.first_fast.tolist(),
        )
    return generation.index, generation.complete, generation.positions.tolist()


def is_final(generation: seats.Generation) -> bool:
    """Return True if the whole generation after this one is known."""
    if isinstance(generation, PairedGeneration):
        return bool(generation.learned.all())
    return generation.complete


def replayed(study: optuna.Study) -> seats.Population | None:
    """Return the population of any sampler, as a new process reads it from the study."""
    replay = Replay()
    replay.update(study)
    return replay.population


def state(study: optuna.Study) -> list[tuple[object, ...]]:
    """Return the bits of a study's population, read anew."""
    found = replayed(study)
    assert found is not None
    return bits(found)


def seated(study: optuna.Study) -> list[tuple[Seat | None, dict[str, Any]]]:
    """Return seats and parameters of all trials, in the order of their numbers."""
    return [(seat_of(trial), trial.params) for trial in study.trials]


def scored(study: optuna.Study) -> dict[Seat, tuple[dict[str, Any], float | None]]:
    """Return parameters and value of every seat with a complete trial."""
    found = {}
    for trial in study.trials:
        seat = seat_of(trial)
        if trial.state == TrialState.COMPLETE and seat is not None:
            found[seat] = trial.params, trial.value
    return found


def sampler_of(
    preset: str,
    space: Space | None,
    size: int = 4,
    *,
    seed: int = 3,
    screening: Screening | None = None,
) -> PopulationSampler:
    """Return a sampler that has read no study: RelativeNASSampler, or MIGOSampler for "migo"."""
    if preset != "migo":
        return new_sampler(space, size, preset, seed=seed, screening=screening)
    return MIGOSampler(
        space,
        population_size=size,
        seed=seed,
        fair_sampling=size >= 4,  # the number of choices of "op"
        pruning_interval=3,
        bins=4,
    )


def new_sampler(
    space: Space | None,
    size: int = 4,
    preset: str = "paper",
    *,
    seed: int = 3,
    screening: Screening | None = None,
) -> RelativeNASSampler:
    """Return a sampler that has read no study."""
    sampler = RelativeNASSampler(space, population_size=size, seed=seed, preset=preset)
    sampler._arguments = Arguments(size, seed, space, preset, screening=screening)
    return sampler


def empty_study(space: Space | None, size: int = 4) -> optuna.Study:
    """Return a study without trials."""
    return optuna.create_study(sampler=new_sampler(space, size))


def study_and_sampler(space: Space | None = SPACE) -> tuple[optuna.Study, RelativeNASSampler]:
    """Return a study without trials, and its sampler."""
    sampler = new_sampler(space)
    return optuna.create_study(sampler=sampler), sampler


def ask(study: optuna.Study) -> tuple[optuna.Trial, Seat]:
    """Return a running trial with its parameters, and its seat."""
    trial = study.ask()
    suggest(trial, SPACE)
    seat = seat_of(trial)
    assert seat is not None
    return trial, seat


def tell(study: optuna.Study, trial: optuna.Trial) -> None:
    """Report the loss of a trial."""
    study.tell(trial, loss(trial.params, SPACE))


def step(study: optuna.Study) -> Seat:
    """Run one trial and return its seat."""
    trial, seat = ask(study)
    tell(study, trial)
    return seat


def followed(study: optuna.Study) -> PairedPopulation:
    """Return the population as the study's own sampler follows it."""
    assert isinstance(study.sampler, RelativeNASSampler)
    found = study.sampler.population(study)
    assert found is not None
    return found


@dataclass(frozen=True)
class SearchKind:
    """A kind of search of `SPACE`.

    Attributes:
        preset: Preset of RelativeNASSampler, or "migo" for MIGOSampler.
        space: The space that the sampler is given; None if the sampler learns it.
    """

    preset: str
    space: Space | None

    def sampler(self) -> PopulationSampler:
        """Return a sampler that has read no study."""
        return sampler_of(self.preset, self.space)

    def search(self, trials: int, **study_settings: Any) -> optuna.Study:
        """Return the study of an uninterrupted search."""
        return search(preset=self.preset, space=self.space, trials=trials, **study_settings)


KINDS = {
    f"{preset}, {'learned' if space is None else 'known'}": SearchKind(preset, space)
    for preset in ("paper", "migo")
    for space in (SPACE, None)
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
