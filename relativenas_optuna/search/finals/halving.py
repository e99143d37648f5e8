"""Successive halving: the rungs of the finals, and the architectures that advance."""

from __future__ import annotations

import math
from statistics import median, pstdev
from typing import TYPE_CHECKING

from relativenas_optuna.search.finals.settings import FULL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relativenas_optuna.search.finals.scores import RungScore
    from relativenas_optuna.search.finals.settings import FinalsSettings

_SIZE = 2  # weight of the rank by number of parameters
_OUTLIER = 2  # times the median loss, above which a training is not typical
_LEAST_SPREAD = math.log(1.2)  # of the logarithm of the number of parameters
_LEAST = 2  # architectures of a rung, to have a comparison


def rung_sizes(entrants: int, *, rungs: int, keep: float) -> tuple[int, ...]:
    """Return the number of architectures of each rung.

    Args:
        entrants: Number of architectures in the first rung, at least 1.
        rungs: Largest number of rungs, at least 1.
        keep: Share of a rung that advances, rounded up, but at least two architectures.
    """
    sizes = [entrants]
    while len(sizes) < rungs and sizes[-1] > _LEAST:
        sizes.append(max(_LEAST, math.ceil(keep * sizes[-1])))
    return tuple(sizes)


def sizes_of(settings: FinalsSettings) -> tuple[int, ...]:
    """Return the number of architectures of each rung of finals with a whole shortlist."""
    return rung_sizes(settings.shortlist, rungs=settings.rungs, keep=settings.keep)


def steps_of(settings: FinalsSettings) -> tuple[int, ...]:
    """Return the number of architectures in each step in which a whole shortlist grows.

    One half is chosen at the start, but at least two; then a quarter in each step.
    """
    steps = [max(_LEAST, math.ceil(settings.shortlist / 2))]
    while (left := settings.shortlist - sum(steps)) > 0:
        steps.append(min(left, math.ceil(settings.shortlist / 4)))
    return tuple(steps)


def rung_epochs(sizes: Sequence[int], passes: int) -> tuple[int, ...]:
    """Return the epochs of each rung's trainings; every rung gets the same share of the passes.

    Epochs are whole numbers. What one rung gets more or less, the others get less or more.

    Args:
        sizes: Number of architectures of each rung.
        passes: Number of passes over the training images in all; an epoch of one training is one
            pass. Every rung has at least one epoch.
    """
    epochs, left = [], passes
    for rung, size in enumerate(sizes):
        epochs.append(max(1, round(left / (len(sizes) - rung) / size)))
        left -= size * epochs[-1]
    return tuple(epochs)


def planned_passes(settings: FinalsSettings, candidates: int) -> int:
    """Return the number of passes over the training images that finals of a whole shortlist take.

    Args:
        settings: Settings of the finals.
        candidates: Number of candidates of the search.
    """
    sizes = sizes_of(settings)
    epochs = rung_epochs(sizes, settings.passes or candidates)
    return sum(size * count for size, count in zip(sizes, epochs, strict=True))


def ranking(
    scores: Mapping[int, RungScore],
    parameters: Sequence[int],
    *,
    target: str,
    first: Mapping[int, RungScore],
) -> list[int]:
    """Return the architectures of one rung, the best first.

    Architectures whose training diverged or failed come last. The target "small" ranks by loss,
    which is more precise than the accuracy on few images. Equal losses are ranked by accuracy, then
    by the order in the shortlist. The target "full" corrects the loss for the size, because short
    trainings of thin networks underrate large architectures. It ranks by the loss minus the
    logarithm of the number of parameters, each divided by its standard deviation over the first
    rung. Losses of more than twice the median do not count for that, and the deviation of the
    logarithm is at least that of 20 % more parameters. So a difference in size that is small, or
    small beside the others of the shortlist, counts little. Equal results are ordered by loss.

    Args:
        scores: Scores of the rung by number of the architecture.
        parameters: Number of parameters of every architecture.
        target: "small" or "full".
        first: Scores of the first rung so far by number of the architecture.
    """
    by_loss = sorted(scores, key=lambda i: (_loss(scores[i]), -scores[i].accuracy, i))
    if target != FULL:
        return by_loss
    sound = [i for i in by_loss if not scores[i].diverged]
    known = {i: _loss(score) for i, score in first.items() if not score.diverged}
    most = _OUTLIER * median(known.values() or [0.0])
    usual = [i for i in known if known[i] <= most]
    sizes = [math.log(1 + number) for number in parameters]
    of_loss = pstdev([known[i] for i in usual] or [0.0]) or math.inf
    of_size = max(_LEAST_SPREAD, pstdev([sizes[i] for i in usual] or [0.0]))
    # Of two architectures, both differences can be two standard deviations: no last bit decides.
    merits = {i: round(_loss(scores[i]) / of_loss - sizes[i] / of_size, 9) for i in sound}
    return sorted(sound, key=merits.__getitem__) + by_loss[len(sound) :]


def with_size(ranks: Sequence[float], parameters: Sequence[int]) -> list[int]:
    """Return positions ordered by rank plus twice the rank by number of parameters, best first.

    Args:
        ranks: Rank of each item, 0 for the best; it decides between equal sums.
        parameters: Number of parameters of each item; equal numbers have equal ranks.
    """
    larger = [sum(other > own for other in parameters) for own in parameters]
    sums = [rank + _SIZE * size for rank, size in zip(ranks, larger, strict=True)]
    return sorted(range(len(sums)), key=lambda n: (sums[n], ranks[n], n))


def _loss(score: RungScore) -> float:
    return math.inf if score.loss is None else score.loss
