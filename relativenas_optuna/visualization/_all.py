"""All figures of a study at once, for which it is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.visualization._costs import costs_figure
from relativenas_optuna.visualization._diversity import diversity_figure
from relativenas_optuna.visualization._generations import generations_figure
from relativenas_optuna.visualization._operations import operations_figure
from relativenas_optuna.visualization._seen import Seen
from relativenas_optuna.visualization._wins import wins_figure

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go


def plot_all(study: optuna.Study | Seen) -> dict[str, go.Figure]:
    """All figures of a study, each under a fixed name that may be the id of an HTML element.

    Together they are less than 200 kB of JSON, however long the search is.
    """
    seen = study if isinstance(study, Seen) else Seen.of(study)
    return {
        "relativenas-generations": generations_figure(seen),
        "relativenas-diversity": diversity_figure(seen),
        "relativenas-operations": operations_figure(seen),
        "relativenas-costs": costs_figure(seen),
        "relativenas-wins": wins_figure(seen),
    }
