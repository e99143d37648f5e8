"""Plot the values of the members over the generations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.visualization._snapshot import NO_SEATS, StudySnapshot, value_of
from relativenas_optuna.visualization._style import (
    FAST,
    INK,
    SLOW,
    band,
    empty_figure,
    escaped,
    evenly_spaced,
    line,
    number_axis,
    styled_figure,
    value_axis,
)

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

MOST_GENERATIONS = 200  # generations in a figure; more could not be told apart
_TITLE = "Fast and slow learners"
_TITLE_WITHOUT_PAIRS = "Values of the members"


def plot_generations(study: optuna.Study, *, objective: int = 0) -> go.Figure:
    """Plot the values of the fast and the slow learners over the generations.

    Lines are medians, bands hold the middle half of the values, and the dotted line is the best
    member. If the sampler has no pairs, all members have one line. Pairs without scores, failed
    and pruned trials and infinite values are left out.

    Args:
        study: The study; if no trial has a seat, the figure is empty and says why.
        objective: Number of the objective, from 0.

    Raises:
        ValueError: The study has no such objective.
    """
    return generations_figure(StudySnapshot.of(study), objective)


def generations_figure(snapshot: StudySnapshot, objective: int = 0) -> go.Figure:
    """Return the figure of `plot_generations` for a snapshot."""
    snapshot.check(objective)
    if snapshot.view is None:
        return empty_figure(_TITLE, NO_SEATS)
    paired = snapshot.has_pairs
    fast, slow, every, best = _Values(), _Values(), _Values(), _Values()
    for generation in snapshot.generations:
        values = {m.number: value_of(m.values, objective) for m in generation.members}
        there = [value for value in values.values() if value is not None]
        fast.add(generation.index, [values[p.fast] for p in generation.pairs if p.fast is not None])
        slow.add(generation.index, [values[p.slow] for p in generation.pairs if p.slow is not None])
        if there:
            every.add(generation.index, [*there])
            best.add(
                generation.index, [max(there) if snapshot.maximises[objective] else min(there)]
            )
    title = _TITLE if paired else _TITLE_WITHOUT_PAIRS
    if not best.x:
        return empty_figure(title, "No member has a score yet.")
    learners = [
        slow.band(SLOW),
        fast.band(FAST),
        slow.line("slow learners", SLOW),
        fast.line("fast learners", FAST),
    ]
    drawn = [*fast.low, *slow.high] if paired else [*every.low, *every.high]
    return styled_figure(
        [
            *(learners if paired else [every.band(FAST), every.line("all members", FAST)]),
            best.line("best of the generation", INK, dash="dot"),
        ],
        title=title,
        note=f"median and middle half; {_better(snapshot, objective)} is better",
        x="generation (the first is 0)",
        y=escaped(snapshot.labels[objective]),
        hovermode="x unified",
        yaxis=value_axis([*drawn, *best.middle]),
        xaxis=number_axis(best.x[-1]),
    )


def _better(snapshot: StudySnapshot, objective: int) -> str:
    return "more" if snapshot.maximises[objective] else "less"


class _Values:
    """Quartiles of the values of some members, by generation."""

    def __init__(self) -> None:
        self.x: list[int] = []
        self.low: list[float] = []
        self.middle: list[float] = []
        self.high: list[float] = []

    def add(self, index: int, values: list[float | None]) -> None:
        """Add the values of a generation, if it has any."""
        there = [value for value in values if value is not None]
        if there:
            low, middle, high = np.quantile(there, [0.25, 0.5, 0.75]).tolist()
            if all(map(math.isfinite, (low, middle, high))):
                self.x.append(index)
                self.low.append(low)
                self.middle.append(middle)
                self.high.append(high)

    def line(self, name: str, colour: str, dash: str = "solid") -> go.Scatter:
        """Return the line of the medians."""
        drawn = evenly_spaced(len(self.x), MOST_GENERATIONS)
        return line(
            [self.x[i] for i in drawn],
            [self.middle[i] for i in drawn],
            name=name,
            colour=colour,
            dash=dash,
        )

    def band(self, colour: str) -> go.Scatter:
        """Return the band of the middle half."""
        drawn = evenly_spaced(len(self.x), MOST_GENERATIONS)
        return band(
            [self.x[i] for i in drawn],
            [self.low[i] for i in drawn],
            [self.high[i] for i in drawn],
            colour,
        )
