"""What a search found, and what it is to be compared with: who takes part, and what came out."""

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
from relativenas_optuna.spaces.cell_space import CellSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.search.architectures import Named
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.spaces.genotype import Genotype

_DRAWS = 0x636F6D70  # keeps these random architectures apart from others that the seed gives


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """An architecture that takes part.

    Attributes:
        kind: See `figures.KINDS`.
        name: In the table.
        genotype: Its cells.
    """

    kind: str
    name: str
    genotype: Genotype


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    Attributes:
        genotype: Of what.
        seed: Of the training.
    """

    genotype: Genotype
    seed: int

    @property
    def folder(self) -> str:
        """The name of its folder.

        It is owed to the genotype, so that what a longer search finds has another.
        """
        return f"{sha256(self.genotype.to_text().encode()).hexdigest()[:12]}-seed{self.seed}"


def contestants(
    plan: SearchPlan,
    *,
    found: Genotype,
    drawn: Genotype | None,
    published: Named,
    random: int,
) -> list[Contestant]:
    """All that take part, in the order of the table.

    Args:
        plan: Of the search; the random architectures are of its space and follow from its seed, the
            first ones whatever their number.
        found: By the search.
        drawn: By random search with shared weights; `None` where that takes no part.
        published: From the literature.
        random: How many random architectures.
    """
    named = [Contestant(kind=FOUND, name=FOUND, genotype=found)]
    if drawn is not None:
        named.append(Contestant(kind=DRAWN, name=DRAWN, genotype=drawn))
    named.append(Contestant(kind=PUBLISHED, name=published.name, genotype=published.genotype))
    return [
        *named,
        *(
            Contestant(kind=RANDOM, name=f"random {number}", genotype=genotype)
            for number, genotype in enumerate(_random_architectures(plan, random), start=1)
        ),
    ]


def training_jobs(everyone: Iterable[Contestant], seeds: Iterable[int]) -> dict[TrainingJob, str]:
    """All trainings and the names of what they train, one seed after the other.

    So early ones say something of everyone. What is the same under two names is trained once.
    """
    everyone = list(everyone)
    jobs: dict[TrainingJob, str] = {}
    for seed in seeds:
        for one in everyone:
            jobs.setdefault(TrainingJob(one.genotype, seed), one.name)
    return jobs


def compared(
    everyone: Iterable[Contestant], seeds: Sequence[int], results: Mapping[TrainingJob, Result]
) -> tuple[Compared, ...]:
    """All that take part with what their trainings came to."""
    return tuple(
        _compared(one, [results[TrainingJob(one.genotype, seed)] for seed in seeds])
        for one in everyone
    )


def training_of(result: Result) -> Training:
    """The figures of a training that count here."""
    assert result.test_accuracy is not None
    return Training(
        seed=result.seed,
        test_accuracy=result.test_accuracy,
        validation_accuracy=result.validation_accuracy,
        seconds=result.seconds,
    )


def _compared(contestant: Contestant, results: Sequence[Result]) -> Compared:
    return Compared(
        kind=contestant.kind,
        name=contestant.name,
        genotype=contestant.genotype.to_text(),
        parameters=results[0].parameters,
        multiply_adds=results[0].multiply_adds,
        trainings=tuple(map(training_of, results)),
    )


def _random_architectures(plan: SearchPlan, count: int) -> list[Genotype]:
    space = CellSpace(nodes=plan.settings.nodes)
    rng = np.random.default_rng([plan.seed, _DRAWS])
    drawn: dict[Genotype, None] = {}
    while len(drawn) < count:  # every such space has thousands
        drawn[space.random(rng)] = None
    return list(drawn)
