"""Plot how often each member was the fast learner of its pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from relativenas_optuna.visualization._snapshot import NO_SEATS, StudySnapshot
from relativenas_optuna.visualization._style import (
    FAST,
    empty_figure,
    evenly_spaced,
    number_axis,
    styled_figure,
)

if TYPE_CHECKING:
    import optuna

_TITLE = "Fast and slow by member"
_MOST = 256  # bars
_PALE = "#f0c5a6"  # a light tint of the colour of slow learners


def plot_fast_learners(study: optuna.Study) -> go.Figure:
    """Plot how often each member was the fast and the slow learner of its pair.

    A member keeps its number over the generations. Pairs without scores do not count. If the
    population has more than 256 members, evenly spaced ones are drawn.

    Args:
        study: The study; if no trial has a seat, the figure is empty and says why.
    """
    return fast_learners_figure(StudySnapshot.of(study))


def fast_learners_figure(snapshot: StudySnapshot) -> go.Figure:
    """Return the figure of `plot_fast_learners` for a snapshot."""
    if snapshot.view is None:
        return empty_figure(_TITLE, NO_SEATS)
    pairs = [pair for g in snapshot.view.generations for pair in g.pairs if pair.fast is not None]
    if not pairs:
        return empty_figure(_TITLE, "No pair is scored yet.")
    fast, slow = ([0] * snapshot.view.population_size for _ in range(2))
    for pair in pairs:
        assert pair.fast is not None
        assert pair.slow is not None
        fast[pair.fast] += 1
        slow[pair.slow] += 1
    drawn = evenly_spaced(snapshot.view.population_size, _MOST)
    return styled_figure(
        [
            _bars(drawn, fast, "fast learner", FAST),
            _bars(drawn, slow, "slow learner", _PALE),
        ],
        title=_TITLE,
        note="the fast learner of a pair stays, the slow one moves toward it",
        x="member",
        y="pairs",
        barmode="stack",
        legend_traceorder="normal",
        bargap=0.25,
        hovermode="x unified",
        xaxis=number_axis(drawn[-1]),
        yaxis=number_axis(max(a + b for a, b in zip(fast, slow, strict=True))),
    )


def _bars(drawn: list[int], counts: list[int], name: str, colour: str) -> go.Bar:
    return go.Bar(
        x=drawn,
        y=[counts[i] for i in drawn],
        name=name,
        marker={"color": colour, "line": {"width": 0}},
    )
