"""Architectures that were trained alike: means, deviations, and what differs for sure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEVEL = 0.95
FOUND, DRAWN, PUBLISHED, RANDOM = KINDS = ("found", "random search", "published", "random")
"""What an architecture is: the best of the search, that of a random search with shared weights, one
from the literature, or one drawn from the space."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of an architecture. Accuracies are shares of 1.

    Attributes:
        seed: Of the training.
        test_accuracy: Of the weights that were kept, on images that chose nothing.
        validation_accuracy: The same on those that chose the weights; `None` without any.
        seconds: That it took.
    """

    seed: int
    test_accuracy: float
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Compared:
    """An architecture and its trainings.

    Attributes:
        kind: One of `KINDS`.
        name: What it is called in a table.
        genotype: As text.
        parameters: Learnt parameters.
        multiply_adds: Of one image.
        trainings: One for each seed.
    """

    kind: str
    name: str
    genotype: str
    parameters: int
    multiply_adds: int
    trainings: tuple[Training, ...]

    @property
    def accuracies(self) -> list[float]:
        """The test accuracy of each training."""
        return [training.test_accuracy for training in self.trainings]

    @property
    def validation(self) -> list[float]:
        """The validation accuracy of each training that has one."""
        found = (training.validation_accuracy for training in self.trainings)
        return [accuracy for accuracy in found if accuracy is not None]

    @property
    def accuracy(self) -> float:
        """Mean test accuracy."""
        return statistics.fmean(self.accuracies)

    @property
    def seconds(self) -> float:
        """Mean time of a training."""
        return statistics.fmean(training.seconds for training in self.trainings)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """By how much the accuracy of the found architecture is over that of others.

    Attributes:
        other: What it is compared with.
        points: The difference of mean accuracies, as a share of 1.
        margin: Half the width of its 95 % interval; `None` where too few trainings say nothing of
            the noise.
    """

    other: str
    points: float
    margin: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.margin is not None and abs(self.points) > self.margin

    def __str__(self) -> str:
        points = f"{100 * self.points:+.2f} points"
        if self.margin is None:
            return f"{points} (too few trainings for an interval)"
        low, high = self.points - self.margin, self.points + self.margin
        return f"{points} (95 % interval {100 * low:+.2f} to {100 * high:+.2f})"

    @property
    def meaning(self) -> str:
        """One sentence that says so plainly."""
        if self.is_sure:
            word = "better" if self.points > 0 else "worse"
            return f"The found architecture is {word} than {self.other}: {self}."
        if self.margin is None:
            return f"Against {self.other} the found architecture has {self}."
        return f"Against {self.other} the found architecture is within the noise: {self}."


def deviation(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; `None` of fewer than two."""
    return statistics.stdev(values) if len(values) > 1 else None


def seed_variance(compared: Iterable[Compared]) -> tuple[float, int]:
    """The variance of one training's accuracy over seeds, and its degrees of freedom.

    It is pooled over all architectures, for each has but a few seeds; NaN and 0 where each has one.
    """
    squares, degrees = 0.0, 0
    for one in compared:
        mean = one.accuracy
        squares += sum((accuracy - mean) ** 2 for accuracy in one.accuracies)
        degrees += len(one.trainings) - 1
    return (squares / degrees if degrees else math.nan), degrees


def differences(compared: Sequence[Compared]) -> list[Difference]:
    """How the found architecture differs from each other one that has a name, and from the random.

    The interval against one architecture is Student's for two means of normal samples with the
    pooled variance over seeds. Against the random ones as a group it is Welch's: the mean of the
    group varies with which were drawn, that of the found one with its seeds.
    """
    (found,) = (one for one in compared if one.kind == FOUND)
    variance, degrees = seed_variance(compared)
    of_found = variance / len(found.trainings)
    result = [
        Difference(
            other=f"{one.name} ({one.kind})" if one.name != one.kind else one.name,
            points=found.accuracy - one.accuracy,
            margin=_margin([(of_found + variance / len(one.trainings), degrees)]),
        )
        for one in compared
        if one.kind not in (FOUND, RANDOM)
    ]
    group = [one.accuracy for one in compared if one.kind == RANDOM]
    if group:
        spread = deviation(group)
        of_group = math.nan if spread is None else spread**2 / len(group)
        result.append(
            Difference(
                other=f"{len(group)} random architecture{'s' if len(group) > 1 else ''}",
                points=found.accuracy - statistics.fmean(group),
                margin=_margin([(of_found, degrees), (of_group, len(group) - 1)]),
            )
        )
    return result


def beaten(compared: Sequence[Compared]) -> tuple[int, int]:
    """How many of the random architectures the found one is more accurate than, and of how many."""
    (found,) = (one for one in compared if one.kind == FOUND)
    group = [one.accuracy for one in compared if one.kind == RANDOM]
    return sum(found.accuracy > accuracy for accuracy in group), len(group)


def _margin(parts: Sequence[tuple[float, int]]) -> float | None:
    """Half the width of an interval for a sum of independent means.

    Args:
        parts: The variance of each mean, and the degrees of freedom of that estimate. Those of the
            sum are Satterthwaite's.
    """
    # It takes a second to import.
    from scipy.stats import t

    total = math.fsum(variance for variance, _ in parts)
    if math.isnan(total) or any(degrees < 1 for _, degrees in parts):
        return None
    if total == 0:
        return 0.0
    degrees = total**2 / math.fsum(variance**2 / degrees for variance, degrees in parts)
    return float(t.ppf((1 + LEVEL) / 2, degrees)) * math.sqrt(total)
