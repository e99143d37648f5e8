"""Plot scores against the cost of architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from relativenas_optuna._utils.json_data import finite
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.samplers.trial_losses import violation
from relativenas_optuna.visualization._snapshot import StudySnapshot, value_of
from relativenas_optuna.visualization._style import (
    INK,
    SLOW,
    empty_figure,
    escaped,
    evenly_spaced,
    number_axis,
    rounded,
    styled_figure,
    value_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    from optuna.trial import FrozenTrial

_TITLE = "Score against cost"
_MOST = 800  # points; more would cover each other
_COSTS = {"multiply_adds": "multiply-adds", "parameters": "parameters"}  # user attributes
_UNITS = ((1e9, "billions"), (1e6, "millions"), (1e3, "thousands"))


class _Point(NamedTuple):
    cost: float
    value: float
    number: int
    generation: int | None


def plot_costs(study: optuna.Study, *, objective: int = 0) -> go.Figure:
    """Plot the values of trials against their multiply-adds, with the Pareto front.

    The cost comes from the user attributes `multiply_adds` or `parameters` of a trial, which
    `SupernetObjective` sets and any objective may set. Trials that are not complete, violate a
    constraint or have an infinite value are left out. If there are many trials, the front and
    800 of the others are drawn.

    Args:
        study: The study, of any sampler.
        objective: Number of the objective, from 0.

    Raises:
        ValueError: The study has no such objective.
    """
    return costs_figure(StudySnapshot.of(study), objective)


def costs_figure(snapshot: StudySnapshot, objective: int = 0) -> go.Figure:
    """Return the figure of `plot_costs` for a snapshot."""
    snapshot.check(objective)
    for attribute, name in _COSTS.items():
        points = [p for trial in snapshot.trials if (p := _point(trial, attribute, objective))]
        if points:
            return _drawn(points, name, snapshot, objective)
    return empty_figure(
        _TITLE,
        "No complete trial has the cost of its architecture in a user attribute multiply_adds or "
        "parameters.",
    )


def _point(trial: FrozenTrial, attribute: str, objective: int) -> _Point | None:
    cost = finite(trial.user_attrs.get(attribute))
    if trial.state != TrialState.COMPLETE or violation(trial) > 0:
        return None
    value = value_of(trial.values, objective)
    if value is None or cost is None:
        return None
    seat = seat_of(trial)
    return _Point(cost, value, trial.number, None if seat is None else seat.generation)


def _drawn(
    points: Sequence[_Point], name: str, snapshot: StudySnapshot, objective: int
) -> go.Figure:
    label = escaped(snapshot.labels[objective])
    unit, word = next((u for u in _UNITS if max(p.cost for p in points) >= u[0]), (1.0, ""))
    sign = -1 if snapshot.maximises[objective] else 1
    front = _front(points, sign)
    of_front = set(front)
    others = [p for p in points if p not in of_front]
    others = [others[i] for i in evenly_spaced(len(others), _MOST)]
    seated = [p for p in others if p.generation is not None]
    colour: dict[str, Any] = {
        "color": [p.generation if p.generation is not None else 0 for p in others]
        if seated
        else INK,
        "size": 6,
        "opacity": 0.75,
    }
    if seated:
        colour |= {
            "colorscale": "Viridis",
            "reversescale": True,
            "colorbar": {
                "title": {"text": "generation"},
                "thickness": 10,
                "outlinewidth": 0,
                **number_axis(max(colour["color"])),
            },
        }
    return styled_figure(
        [
            _scatter(others, unit, name="trials", mode="markers", marker=colour),
            _scatter(
                front,
                unit,
                name="Pareto front",
                mode="lines+markers",
                marker={"color": SLOW, "size": 8, "line": {"color": "white", "width": 1}},
                line={"color": SLOW, "width": 1.5, "shape": "hv"},
            ),
        ],
        title=_TITLE,
        note=f"less cost and {'more' if sign < 0 else 'less'} {label} are better",
        x=f"{name}{f' ({word})' if word else ''}",
        y=label,
        yaxis=value_axis(p.value for p in points),
    )


def _scatter(points: Sequence[_Point], unit: float, **options: object) -> go.Scatter:
    return go.Scatter(
        x=rounded(p.cost / unit for p in points),
        y=rounded(p.value for p in points),
        text=[str(p.number) for p in points],
        hovertemplate="trial %{text}<br>%{x}, %{y}<extra></extra>",
        **options,
    )


def _front(points: Sequence[_Point], sign: int) -> list[_Point]:
    """Return the points that no other one beats in cost and value, by increasing cost."""
    front: list[_Point] = []
    for point in sorted(points, key=lambda p: (p.cost, sign * p.value, p.number)):
        if not front or sign * point.value < sign * front[-1].value:
            front.append(point)
    return front
