"""Plot the costs of trials against the limits of a search."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from relativenas_optuna._utils.json_data import finite
from relativenas_optuna.samplers.limits.constraints import PREFIX
from relativenas_optuna.samplers.trial_losses import constraints_of
from relativenas_optuna.visualization._snapshot import StudySnapshot
from relativenas_optuna.visualization._style import (
    FAST,
    SLOW,
    empty_figure,
    escaped,
    evenly_spaced,
    line,
    rounded,
    styled_figure,
    value_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

_TITLE = "Cost against the limit"
_MOST = 800  # points of a limit; more would cover each other
_COUNTED = ("parameters", "multiply_adds")  # constraints that `SupernetObjective` sets
# Colours of Okabe and Ito; that of the limit is none of them.
_COLOURS = (FAST, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def plot_cost_limits(study: optuna.Study) -> go.Figure:
    """Plot the cost of each trial as a share of its limit, with a line at the limit.

    The costs come from the constraints of the trials: a sampler sets one for each of its limits,
    and `SupernetObjective` one for each of its `CostLimits`. Their value is the excess over the
    limit as a share of the limit. If there are many trials, 800 of them are drawn.

    Args:
        study: The study, of any sampler; without limits the figure is empty and says so.
    """
    return cost_limits_figure(StudySnapshot.of(study))


def cost_limits_figure(snapshot: StudySnapshot) -> go.Figure:
    """Return the figure of `plot_cost_limits` for a snapshot."""
    shares = shares_of_limits(snapshot)
    if not shares:
        return empty_figure(_TITLE, "This study has no limit of a cost.")
    last = max(number for points in shares.values() for number, _ in points)
    over = sum(share > 1 for points in shares.values() for _, share in points)
    dots = [
        _dots(points, name, colour)
        for (name, points), colour in zip(shares.items(), cycle(_COLOURS), strict=False)
    ]
    return styled_figure(
        [*dots, line([0, last], [100, 100], name="limit", colour=SLOW, dash="dash")],
        title=_TITLE,
        note=f"{over} above a limit" if over else "no trial is above a limit",
        x="trial",
        y="cost (% of the limit)",
        yaxis=value_axis(share for of in shares.values() for _, share in of)
        | {"rangemode": "tozero"},
        showlegend=True,
    )


def shares_of_limits(snapshot: StudySnapshot) -> dict[str, list[tuple[int, float]]]:
    """Return the number and the cost of each trial by the label of a limit.

    A cost that is equal to the limit is 1.
    """
    labels = {name: escaped(name.replace("_", "-")) for name in _COUNTED}
    for name, limit in snapshot.limits.items():
        labels[f"{PREFIX}{name}"] = f"{escaped(name.replace('_', '-'))} (limit {limit:,.6g})"
    found: dict[str, list[tuple[int, float]]] = {}
    for trial in snapshot.trials:
        constraints = constraints_of(trial)
        for constraint, label in labels.items():
            excess = finite(constraints.get(constraint))
            if excess is not None:
                found.setdefault(label, []).append((trial.number, 1 + excess))
    return found


def _dots(points: Sequence[tuple[int, float]], name: str, colour: str) -> go.Scatter:
    drawn = [points[i] for i in evenly_spaced(len(points), _MOST)]
    return go.Scatter(
        x=[number for number, _ in drawn],
        y=rounded(100 * share for _, share in drawn),
        mode="markers",
        name=name,
        marker={"color": colour, "size": 5, "opacity": 0.75},
        hovertemplate="trial %{x}: %{y} %<extra></extra>",
    )
