"""A summary of one generation of a search in three numbers."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from relativenas_optuna.samplers.relative_nas.slow_fast import diversity

if TYPE_CHECKING:
    from relativenas_optuna.samplers.seats.population import Population


class GenerationSummary(NamedTuple):
    """The losses and the diversity of a complete generation.

    Attributes:
        best: Least loss.
        median: Median of the losses.
        diversity: Diversity of the positions, see `slow_fast.diversity`.
    """

    best: float
    median: float
    diversity: float


def summary_of(population: Population | None, generation: int) -> GenerationSummary | None:
    """Return the summary of a generation; None until it is complete, or without any loss.

    Args:
        population: The generations of the search; None before its first trial.
        generation: Number of the generation, from 0.
    """
    if population is None or generation >= len(population.generations):
        return None
    members = population.generations[generation]
    if not members.complete:
        return None
    counted = [t.counted.value for t in members.seat_scores if t.counted is not None]
    losses = [loss for loss in counted if loss is not None]
    if not losses:
        return None
    return GenerationSummary(min(losses), statistics.median(losses), diversity(members.positions))
