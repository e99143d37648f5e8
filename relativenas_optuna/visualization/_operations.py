"""Plot the operations that the members choose on each edge, over the generations."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import plotly.graph_objects as go
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from relativenas_optuna.visualization._snapshot import StudySnapshot
from relativenas_optuna.visualization._style import (
    distinct_labels,
    empty_figure,
    escaped,
    number_axis,
    styled_figure,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import optuna

_TITLE = "Operations chosen"
_MOST_COLUMNS = 40
_MOST_ROWS = 60
_COLOURS = (
    "#d55e00",
    "#e69f00",
    "#8c8c8c",
    "#0072b2",
    "#56b4e9",
    "#009e73",
    "#b5c334",
    "#cc79a7",
    "#7a4fa3",
)
_REST, _REST_COLOUR = "another", "#2b2b2b"


class _Column(NamedTuple):
    """A column of the figure: architectures of one or several generations.

    Attributes:
        x: Position on the horizontal axis.
        when: Name of the generations or trials.
        params: Parameters of each architecture.
    """

    x: float
    when: str
    params: Sequence[Mapping[str, Any]]


def plot_operations(study: optuna.Study) -> go.Figure:
    """Plot the operation that most members choose on each edge, over the generations.

    The colour is the operation; it is paler if fewer members agree. Edges are the categorical
    parameters with names as choices. If there are many generations, a column holds several. If no
    trial has a seat, a column holds some of the trials.

    Args:
        study: The study, of any sampler.
    """
    return operations_figure(StudySnapshot.of(study))


def operations_figure(snapshot: StudySnapshot) -> go.Figure:
    """Return the figure of `plot_operations` for a snapshot."""
    edges = _edges(snapshot)
    columns = [
        c for c in (_generations(snapshot) if snapshot.view else _trials(snapshot)) if c.params
    ]
    if not edges or not columns:
        return empty_figure(
            _TITLE, "No parameter of this study is categorical with names as choices."
        )
    rows = list(edges)[:_MOST_ROWS]
    names = list(dict.fromkeys(name for row in rows for name in edges[row]))
    kept = names[: len(_COLOURS)]
    colours = dict(zip(kept, _COLOURS, strict=False))
    if len(names) > len(kept):
        colours[_REST] = _REST_COLOUR
    shares = [[_chosen(column.params, row) for column in columns] for row in rows]
    labels = distinct_labels(rows)
    traces = []
    for name, colour in colours.items():
        z = [
            [
                share if most == name or (name == _REST and most not in colours) else None
                for most, share in ((most or "", share) for most, share in line)
            ]
            for line in shares
        ]
        if any(share is not None for line in z for share in line):
            traces += [_heat(columns, labels, z, name, colour), _swatch(name, colour)]
    left = len(edges) - len(rows)
    return styled_figure(
        traces,
        title=_TITLE,
        note="the operation that most members choose; paler if fewer agree"
        + (f"; {left} more edges" if left else ""),
        x="generation (the first is 0)" if snapshot.view else "trial",
        y="",
        yaxis_autorange="reversed",
        yaxis_showgrid=False,
        xaxis={"showgrid": False, **number_axis(round(columns[-1].x))},
        yaxis_tickfont_size=10,
        yaxis_dtick=1,
    )


def _edges(snapshot: StudySnapshot) -> dict[str, tuple[str, ...]]:
    """Return the categorical parameters with names as choices, and the names."""
    space: dict[str, Any] = {}
    if snapshot.view is not None and snapshot.view.search_space is not None:
        space = dict(snapshot.view.search_space)
    else:
        for trial in snapshot.trials:
            if trial.state != TrialState.FAIL:
                space |= trial.distributions
    return {
        name: tuple(map(str, distribution.choices))
        for name, distribution in space.items()
        if isinstance(distribution, CategoricalDistribution)
        and len(distribution.choices) > 1
        and all(isinstance(choice, str) for choice in distribution.choices)
    }


def _generations(snapshot: StudySnapshot) -> Iterator[_Column]:
    assert snapshot.view is not None
    generations = snapshot.view.generations
    for first, end in _parts(len(generations)):
        part = generations[first:end]
        params = [p for generation in part for p in generation.params if p is not None]
        yield _Column((first + end - 1) / 2, _when("generation", first, end), params)


def _trials(snapshot: StudySnapshot) -> Iterator[_Column]:
    for first, end in _parts(len(snapshot.trials)):
        part = [t.params for t in snapshot.trials[first:end] if t.state != TrialState.FAIL]
        yield _Column((first + end - 1) / 2, _when("trial", first, end), part)


def _parts(count: int) -> list[tuple[int, int]]:
    columns = min(count, _MOST_COLUMNS)
    bounds = [round(i * count / columns) for i in range(columns + 1)] if count else []
    return list(pairwise(bounds))


def _when(what: str, first: int, end: int) -> str:
    return f"{what} {first}" if end == first + 1 else f"{what}s {first} to {end - 1}"


def _chosen(params: Sequence[Mapping[str, Any]], edge: str) -> tuple[str | None, int]:
    """Return the most frequent choice on an edge and its frequency in percent."""
    choices = Counter(p[edge] for p in params if edge in p)
    if not choices:
        return None, 0
    (most, count), *_ = choices.most_common(1)
    return most, round(100 * count / choices.total())


def _heat(
    columns: Sequence[_Column],
    labels: Sequence[str],
    z: Sequence[Sequence[int | None]],
    name: str,
    colour: str,
) -> go.Heatmap:
    return go.Heatmap(
        x=[column.x for column in columns],
        y=list(labels),
        z=z,
        zmin=0,
        zmax=100,
        colorscale=[[0, "white"], [1, colour]],
        showscale=False,
        hoverongaps=False,
        ygap=1,
        hovertemplate=f"%{{y}}, %{{x}}<br>{_plain(name)}: %{{z}} %<extra></extra>",
    )


def _swatch(name: str, colour: str) -> go.Scatter:
    """Return a trace without points, for an entry of the legend."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker={"symbol": "square", "size": 10, "color": colour},
        name=escaped(name.replace("_", " ")),
        hoverinfo="skip",
    )


def _plain(text: str) -> str:
    """Return a text in which a hover template finds no placeholder %{...}."""
    return escaped(text).replace("%{", "% {")
