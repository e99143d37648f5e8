"""Prepare the figures of a study for the page of a report."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from relativenas_optuna.visualization._all import plot_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from relativenas_optuna.visualization._snapshot import StudySnapshot

_TAG = re.compile(r"<[^>]*>")
_TOP = 24  # pixels above a figure whose title is in the page


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes:
        name: Fixed name of the figure, its HTML id.
        title: Title of the figure.
        note: Text below the title, which may be empty.
        why: Reason why there is nothing to draw; empty if there is.
        data: Argument of `Plotly.react`, without the title, which the page shows as text.
    """

    name: str
    title: str
    note: str
    why: str
    data: dict[str, Any]


def figures_of(study: optuna.Study, seen: StudySnapshot) -> list[PageFigure]:
    """Return the figures of a study.

    For a study of another sampler, Optuna's own history, Pareto front or slice plot comes first.

    Args:
        study: The study.
        seen: Snapshot of the study.
    """
    found = [_figure(name, figure) for name, figure in plot_all(seen).items()]
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if complete and found[0].why:
        found.insert(0, _figure("history", _history(study)))
    return found


def _history(study: optuna.Study) -> go.Figure:
    if len(study.directions) == 1:
        figure = optuna.visualization.plot_optimization_history(study)
    elif len(study.directions) <= 3:
        figure = optuna.visualization.plot_pareto_front(study)
    else:
        figure = optuna.visualization.plot_slice(
            study, target=lambda t: t.values[0], target_name="Objective 0"
        )
    # A colour scale of the trial numbers would take half of a phone's width.
    figure.update_traces(marker_showscale=False)
    return figure.update_layout(template="none", legend={"orientation": "h"})


def _figure(name: str, figure: go.Figure) -> PageFigure:
    data = json.loads(figure.to_json())
    layout = data["layout"]
    title, _, note = str((layout.pop("title", None) or {}).get("text", "")).partition("<br>")
    layout["margin"] = (layout.get("margin") or {}) | {"t": _TOP}
    layout["autosize"] = True
    for size in ("width", "height"):
        layout.pop(size, None)
    # A figure without traces has an annotation that says why.
    words = [] if data["data"] else [str(a["text"]) for a in layout.get("annotations", ())]
    why = _text(" ".join(words).replace("<br>", " "))
    return PageFigure(name=name, title=_text(title), note=_text(note), why=why, data=data)


def _text(markup: str) -> str:
    """Return text without the markup of Plotly."""
    return html.unescape(_TAG.sub("", markup)).strip()
