"""List the architectures of a comparison and their trainings, and collect the results."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.evaluation.comparison.figures import (
    DRAWN,
    FOUND,
    PUBLISHED,
    RANDOM,
    Compared,
    Training,
)
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.search.architectures import Named
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_MOST_DRAWS = 100  # for each random architecture
_DRAWS = 0x636F6D70  # makes these random architectures differ from others of the same seed


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """An architecture that takes part in a comparison.

    Attributes:
        kind: One of `figures.KINDS`.
        name: Name in the table.
        genotype: The architecture.
        optional: True if it may be left out when the time is too short for it.
    """

    kind: str
    name: str
    genotype: AnyGenotype
    optional: bool = False


@dataclass(frozen=True)
class TrainingJob:
    """One training of an architecture.

    Attributes:
        genotype: The architecture.
        seed: Seed of the training.
    """

    genotype: AnyGenotype
    seed: int

    @property
    def folder(self) -> str:
        """Name of its folder, which depends on genotype and seed only."""
        return f"{sha256(self.genotype.to_text().encode()).hexdigest()[:12]}-seed{self.seed}"


def contestants(
    plan: SearchPlan,
    *,
    found: AnyGenotype,
    drawn: AnyGenotype | None,
    published: Named,
    random: int,
    rivals: Iterable[Contestant] = (),
) -> list[Contestant]:
    """Return the architectures that take part, in the order of the table.

    Args:
        plan: Plan of the search. Its space and seed determine the random architectures; a larger
            `random` only adds architectures.
        found: Best architecture of the search.
        drawn: Best architecture of the random search with shared weights; None to leave it out.
        published: An architecture from the literature.
        random: Number of random architectures.
        rivals: More contestants, which come before the random ones.
    """
    named = [Contestant(kind=FOUND, name=FOUND, genotype=found)]
    if drawn is not None:
        named.append(Contestant(kind=DRAWN, name=DRAWN, genotype=drawn))
    named.append(Contestant(kind=PUBLISHED, name=published.name, genotype=published.genotype))
    return [
        *named,
        *rivals,
        *(
            Contestant(kind=RANDOM, name=f"random {number}", genotype=genotype)
            for number, genotype in enumerate(_random_architectures(plan, random), start=1)
        ),
    ]


def training_jobs(everyone: Iterable[Contestant], seeds: Iterable[int]) -> dict[TrainingJob, str]:
    """Return all trainings, with the names of their architectures.

    All architectures are trained with the first seed, then with the second, and so on. An
    architecture with two names is trained once per seed.
    """
    everyone = list(everyone)
    jobs: dict[TrainingJob, str] = {}
    for seed in seeds:
        for one in everyone:
            jobs.setdefault(TrainingJob(one.genotype, seed), one.name)
    return jobs


def compared(
    everyone: Iterable[Contestant],
    seeds: Sequence[int],
    results: Mapping[TrainingJob, Result],
    latencies: Mapping[AnyGenotype, float],
) -> tuple[Compared, ...]:
    """Return the contestants with the results of their trainings.

    Args:
        everyone: The contestants.
        seeds: Seeds of the trainings.
        results: Result of each training.
        latencies: Latency for one image in seconds of the architectures that it was measured for.
    """
    return tuple(
        _compared(
            one,
            [results[TrainingJob(one.genotype, seed)] for seed in seeds],
            latencies.get(one.genotype),
        )
        for one in everyone
    )


def training_of(result: Result) -> Training:
    """Return the figures of a training that a comparison uses."""
    assert result.test_accuracy is not None
    return Training(
        seed=result.seed,
        test_accuracy=result.test_accuracy,
        validation_accuracy=result.validation_accuracy,
        seconds=result.seconds,
    )


def _compared(contestant: Contestant, results: Sequence[Result], latency: float | None) -> Compared:
    return Compared(
        kind=contestant.kind,
        name=contestant.name,
        genotype=contestant.genotype.to_text(),
        parameters=results[0].parameters,
        multiply_adds=results[0].multiply_adds,
        trainings=tuple(map(training_of, results)),
        epochs=results[0].epochs,
        latency=latency,
    )


def _random_architectures(plan: SearchPlan, count: int) -> list[AnyGenotype]:
    if count == 0:
        return []
    space = plan.search_space
    rng = np.random.default_rng([plan.seed, _DRAWS])
    drawn: dict[AnyGenotype, None] = {}
    for _ in range(_MOST_DRAWS * count):
        drawn[genotype_from_text(space.text(space.random(rng)), plan.space)] = None
        if len(drawn) == count:
            break
    if len(drawn) < count:
        raise SearchError(
            f"space {plan.space!r} gave only {len(drawn)} different random architectures: give at "
            f"most --random {len(drawn)}"
        )
    return list(drawn)
