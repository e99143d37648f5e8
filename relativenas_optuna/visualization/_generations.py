"""The losses of fast and slow learners, generation by generation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.visualization._seen import NO_SEATS, Seen, value_of
from relativenas_optuna.visualization._style import (
    FAST,
    INK,
    SLOW,
    band,
    explained,
    figure,
    line,
    number_axis,
    shown,
    thinned,
    value_axis,
)

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

MOST_GENERATIONS = 200  # that are drawn; more cannot be told apart
_TITLE = "Fast and slow learners"


def plot_generations(study: optuna.Study, *, objective: int = 0) -> go.Figure:
    """Values of the fast and of the slow learners of each generation, and how they spread.

    Lines are medians, bands hold the middle half, and the dotted line is the best member. Pairs
    that are not scored yet are left out, and so are failed and pruned trials and infinite values.

    Args:
        study: The study; without seats the figure says why it is empty.
        objective: Which of several objectives.

    Raises:
        ValueError: The study has no such objective.
    """
    return generations_figure(Seen.of(study), objective)


def generations_figure(seen: Seen, objective: int = 0) -> go.Figure:
    """See `plot_generations`."""
    seen.check(objective)
    if seen.view is None:
        return explained(_TITLE, NO_SEATS)
    fast, slow, best = _Values(), _Values(), _Values()
    for generation in seen.view.generations:
        values = {m.number: value_of(m.values, objective) for m in generation.members}
        there = [value for value in values.values() if value is not None]
        fast.add(generation.index, [values[p.fast] for p in generation.pairs if p.fast is not None])
        slow.add(generation.index, [values[p.slow] for p in generation.pairs if p.slow is not None])
        if there:
            best.add(generation.index, [max(there) if seen.maximises[objective] else min(there)])
    if not best.x:
        return explained(_TITLE, "No member has a score yet.")
    drawn = [*fast.low, *slow.high, *best.middle]
    return figure(
        [
            slow.band(SLOW),
            fast.band(FAST),
            slow.line("slow learners", SLOW),
            fast.line("fast learners", FAST),
            best.line("best of the generation", INK, dash="dot"),
        ],
        title=_TITLE,
        note=f"median and middle half; {_better(seen, objective)} is better",
        x="generation (the first is 0)",
        y=shown(seen.labels[objective]),
        hovermode="x unified",
        yaxis=value_axis(drawn),
        xaxis=number_axis(best.x[-1]),
    )


def _better(seen: Seen, objective: int) -> str:
    return "more" if seen.maximises[objective] else "less"


class _Values:
    """Quartiles of some members' values by generation."""

    def __init__(self) -> None:
        self.x: list[int] = []
        self.low: list[float] = []
        self.middle: list[float] = []
        self.high: list[float] = []

    def add(self, index: int, values: list[float | None]) -> None:
        """Add a generation, if there is a value in it."""
        there = [value for value in values if value is not None]
        if there:
            low, middle, high = np.quantile(there, [0.25, 0.5, 0.75]).tolist()
            if all(map(math.isfinite, (low, middle, high))):
                self.x.append(index)
                self.low.append(low)
                self.middle.append(middle)
                self.high.append(high)

    def line(self, name: str, colour: str, dash: str = "solid") -> go.Scatter:
        """The medians."""
        drawn = thinned(len(self.x), MOST_GENERATIONS)
        return line(
            [self.x[i] for i in drawn],
            [self.middle[i] for i in drawn],
            name=name,
            colour=colour,
            dash=dash,
        )

    def band(self, colour: str) -> go.Scatter:
        """The middle half."""
        drawn = thinned(len(self.x), MOST_GENERATIONS)
        return band(
            [self.x[i] for i in drawn],
            [self.low[i] for i in drawn],
            [self.high[i] for i in drawn],
            colour,
        )
