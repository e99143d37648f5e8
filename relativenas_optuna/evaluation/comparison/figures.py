"""Compare the accuracies of architectures: means, deviations and intervals of differences."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEVEL = 0.95
KINDS = ("found", "random search", "published", "torchvision", "random")
FOUND, DRAWN, PUBLISHED, TORCHVISION, RANDOM = KINDS
"""Kinds of architectures: the best of the search, the best of a random search with shared weights,
one from the literature, a network of torchvision, and one drawn from the space."""

STEMS = ("torchvision", "small", "both")
"""Stems of torchvision's networks that a comparison may have."""

SMALL_IMAGE = 64
"""Side in pixels below which the small stem is usual."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of an architecture. Accuracies are shares, 0 to 1.

    Attributes:
        seed: Seed of the training.
        test_accuracy: Accuracy of the kept weights on the test images, which influenced no choice.
        validation_accuracy: Accuracy of the kept weights on the images by which the epoch was
            chosen; None if there are none.
        seconds: Duration of the training in seconds.
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
        name: Name in the table.
        genotype: Cells of the architecture as text.
        parameters: Number of learnt parameters.
        multiply_adds: Number of multiply-adds for one image.
        trainings: One training for each seed.
        epochs: Number of epochs of each training.
        latency: Median latency for one image in seconds; None if it was not measured.
    """

    kind: str
    name: str
    genotype: str
    parameters: int
    multiply_adds: int
    trainings: tuple[Training, ...]
    epochs: int
    latency: float | None = None

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
        """Mean duration of a training in seconds."""
        return statistics.fmean(training.seconds for training in self.trainings)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Difference between the accuracy of the found architecture and that of others.

    Attributes:
        other: Name of the architecture or group that it is compared with.
        points: Mean accuracy of the found architecture minus that of the others, -1 to 1.
        margin: Half the width of the 95 % interval; None if there are too few trainings for one.
    """

    other: str
    points: float
    margin: float | None

    @property
    def is_sure(self) -> bool:
        """True if the interval does not contain 0; False if there is no interval."""
        return self.margin is not None and abs(self.points) > self.margin

    def __str__(self) -> str:
        points = f"{100 * self.points:+.2f} points"
        if self.margin is None:
            return f"{points} (too few trainings for an interval)"
        low, high = self.points - self.margin, self.points + self.margin
        return f"{points} (95 % interval {100 * low:+.2f} to {100 * high:+.2f})"

    @property
    def meaning(self) -> str:
        """One sentence on what the difference means."""
        if self.is_sure:
            word = "better" if self.points > 0 else "worse"
            return f"The found architecture is {word} than {self.other}: {self}."
        if self.margin is None:
            return f"The difference from {self.other} is {self}."
        return f"The difference from {self.other} is within the noise: {self}."


def deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample; None if it has fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def seed_variance(compared: Iterable[Compared]) -> tuple[float, int]:
    """Return the variance of a training's accuracy over seeds, and its degrees of freedom.

    The variance is pooled over all architectures, since each has only a few seeds. If each has
    one seed, the result is NaN and 0.
    """
    squares, degrees = 0.0, 0
    for one in compared:
        mean = one.accuracy
        squares += sum((accuracy - mean) ** 2 for accuracy in one.accuracies)
        degrees += len(one.trainings) - 1
    return (squares / degrees if degrees else math.nan), degrees


def differences(compared: Sequence[Compared]) -> list[Difference]:
    """Compare the found architecture with each named one, and with the group of random ones.

    The interval for one architecture is Student's for the means of two normal samples, with the
    pooled variance over seeds. The interval for the group of random architectures is Welch's: the
    mean of the group varies with the architectures drawn, that of the found one with its seeds.
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
    """Return how many random architectures the found one beats in accuracy, and their number."""
    (found,) = (one for one in compared if one.kind == FOUND)
    group = [one.accuracy for one in compared if one.kind == RANDOM]
    return sum(found.accuracy > accuracy for accuracy in group), len(group)


def _margin(parts: Sequence[tuple[float, int]]) -> float | None:
    """Return half the width of an interval for a sum of independent means.

    Args:
        parts: Variance of each mean, and the degrees of freedom of that variance. The degrees of
            freedom of the sum are Satterthwaite's.
    """
    # The import takes a second.
    from scipy.stats import t

    total = math.fsum(variance for variance, _ in parts)
    if math.isnan(total) or any(degrees < 1 for _, degrees in parts):
        return None
    if total == 0:
        return 0.0
    degrees = total**2 / math.fsum(variance**2 / degrees for variance, degrees in parts)
    return float(t.ppf((1 + LEVEL) / 2, degrees)) * math.sqrt(total)
