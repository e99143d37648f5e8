"""How often each member was the fast learner of its pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from relativenas_optuna.visualization._seen import NO_SEATS, Seen
from relativenas_optuna.visualization._style import FAST, explained, figure, number_axis, thinned

if TYPE_CHECKING:
    import optuna

_TITLE = "Wins of each member"
_MOST = 256  # bars
_PALE = "#f0c5a6"  # of a slow learner's colour, for what is lost is the rest


def plot_wins(study: optuna.Study) -> go.Figure:
    """How often each member was the fast and the slow learner of its pair.

    A member keeps its number from generation to generation. Pairs that are not scored yet do not
    count. Of a large population an even part is drawn.

    Args:
        study: The study; without seats the figure says why it is empty.
    """
    return wins_figure(Seen.of(study))


def wins_figure(seen: Seen) -> go.Figure:
    """See `plot_wins`."""
    if seen.view is None:
        return explained(_TITLE, NO_SEATS)
    pairs = [pair for g in seen.view.generations for pair in g.pairs if pair.fast is not None]
    if not pairs:
        return explained(_TITLE, "No pair is scored yet.")
    won, lost = ([0] * seen.view.population_size for _ in range(2))
    for pair in pairs:
        assert pair.fast is not None
        assert pair.slow is not None
        won[pair.fast] += 1
        lost[pair.slow] += 1
    drawn = thinned(seen.view.population_size, _MOST)
    return figure(
        [
            _bars(drawn, won, "fast learner", FAST),
            _bars(drawn, lost, "slow learner", _PALE),
        ],
        title=_TITLE,
        note="who wins stays, who loses moves toward it",
        x="member",
        y="pairs",
        barmode="stack",
        legend_traceorder="normal",
        bargap=0.25,
        hovermode="x unified",
        xaxis=number_axis(drawn[-1]),
        yaxis=number_axis(max(a + b for a, b in zip(won, lost, strict=True))),
    )


def _bars(drawn: list[int], counts: list[int], name: str, colour: str) -> go.Bar:
    return go.Bar(
        x=drawn,
        y=[counts[i] for i in drawn],
        name=name,
        marker={"color": colour, "line": {"width": 0}},
    )
