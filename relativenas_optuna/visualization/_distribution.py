"""Plot the distribution of a sampler as a heat map of variables and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from relativenas_optuna.visualization._snapshot import NO_DISTRIBUTION, StudySnapshot
from relativenas_optuna.visualization._style import (
    distinct_labels,
    empty_figure,
    escaped,
    styled_figure,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from relativenas_optuna.samplers.migo.distribution import Marginal

_TITLE = "Distribution"
_MOST_ROWS = 60
_MOST_COLUMNS = 24  # values by name; if there are more, a column is the place of a value
_MOST_WITH_TEXT = 12  # rows that are high enough for a number in every field
# The least colour is not white, so that a value of probability 0 differs from one that is missing.
_COLOURS = [[0, "#eaf2f8"], [0.5, "#56a3d0"], [1, "#08386b"]]


def plot_distribution(study: optuna.Study, *, generation: int | None = None) -> go.Figure:
    """Plot the distribution from which a generation was drawn as a heat map.

    A row is a variable, a column is a value, and the colour is the probability. Variables that
    share values are next to each other. If there are more than 24 different values, a column is
    the place of a value among those of its variable. At most 60 variables are drawn.

    Args:
        study: The study; if its sampler has no distribution, the figure is empty and says why.
        generation: Number of the generation, from 0; None for the newest one.

    Raises:
        ValueError: The study has no such generation.
    """
    return distribution_figure(StudySnapshot.of(study), generation)


def distribution_figure(snapshot: StudySnapshot, generation: int | None = None) -> go.Figure:
    """Return the figure of `plot_distribution` for a snapshot."""
    known = {g.index: g.marginals for g in snapshot.generations if g.marginals}
    if not known:
        return empty_figure(_TITLE, NO_DISTRIBUTION)
    shown = max(known) if generation is None else generation
    if shown not in known:
        raise ValueError(
            f"generation must be None or a whole number from 0 to {max(known)}, got {generation!r}"
        )
    marginals = _grouped(known[shown][:_MOST_ROWS])
    names = [[_name(value) for value in marginal.values] for marginal in marginals]
    columns, fields = _columns(names)
    z: list[list[float | None]] = []
    texts: list[list[str]] = []
    for marginal, of_row, values in zip(marginals, fields, names, strict=True):
        at = dict(zip(of_row, zip(marginal.probabilities, values, strict=True), strict=True))
        z.append([round(at[column][0], 4) if column in at else None for column in columns])
        texts.append([at[column][1] if column in at else "" for column in columns])
    left = len(known[shown]) - len(marginals)
    return styled_figure(
        [_heat(columns, distinct_labels([m.name for m in marginals]), z, texts)],
        title=_TITLE,
        note=f"probability of each value in generation {shown}"
        + (f"; {left} more variables" if left else ""),
        x="",
        y="",
        xaxis={"type": "category", "showgrid": False, "tickfont": {"size": 10}},
        yaxis={
            "type": "category",
            "autorange": "reversed",
            "showgrid": False,
            "dtick": 1,
            "tickfont": {"size": 10 if len(marginals) <= _MOST_WITH_TEXT else 8},
        },
    )


def _grouped(marginals: Sequence[Marginal]) -> list[Marginal]:
    """Return the variables with those that share values together, such as all operations."""
    groups: list[tuple[set[str], list[Marginal]]] = []
    for marginal in marginals:
        values = set(map(_name, marginal.values))
        for known, members in groups:
            if not values.isdisjoint(known):
                known.update(values)
                members.append(marginal)
                break
        else:
            groups.append((values, [marginal]))
    return [marginal for _, members in groups for marginal in members]


def _columns(names: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of the heat map, and the column of each value of each variable.

    Args:
        names: Names of the values of each variable.
    """
    union = list(dict.fromkeys(name for of_row in names for name in of_row))
    unique = all(len(set(of_row)) == len(of_row) for of_row in names)
    if unique and len(union) <= _MOST_COLUMNS:
        return union, [list(of_row) for of_row in names]
    places = [[str(place) for place in range(1, len(of_row) + 1)] for of_row in names]
    return max(places, key=len), places


def _name(value: Any) -> str:
    """Return a value, or the two ends of a range, as text for a figure."""
    if isinstance(value, tuple) and len(value) == 2:
        return escaped(" to ".join(f"{end:.3g}" for end in value))
    return escaped(value, longest=20)


def _heat(
    columns: Sequence[str],
    rows: Sequence[str],
    z: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
) -> go.Heatmap:
    return go.Heatmap(
        x=list(columns),
        y=list(rows),
        z=z,
        text=texts,
        zmin=0,
        zmax=1,
        colorscale=_COLOURS,
        colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": ".0%"},
        hoverongaps=False,
        xgap=1,
        ygap=1,
        texttemplate="%{z:.0%}" if len(rows) <= _MOST_WITH_TEXT else None,
        hovertemplate="%{y}<br>%{text}: %{z:.1%}<extra></extra>",
    )
