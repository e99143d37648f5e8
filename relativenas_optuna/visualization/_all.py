"""Plot all figures of a study, which is read only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.visualization._cost_limits import cost_limits_figure, shares_of_limits
from relativenas_optuna.visualization._costs import costs_figure
from relativenas_optuna.visualization._distribution import distribution_figure
from relativenas_optuna.visualization._diversity import diversity_figure
from relativenas_optuna.visualization._entropy import entropy_figure
from relativenas_optuna.visualization._fast_learners import fast_learners_figure
from relativenas_optuna.visualization._generations import generations_figure
from relativenas_optuna.visualization._operations import operations_figure
from relativenas_optuna.visualization._snapshot import StudySnapshot

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go


def plot_all(study: optuna.Study | StudySnapshot) -> dict[str, go.Figure]:
    """Return all figures of a study by fixed names, which can be ids of HTML elements.

    Left out are the figures of a distribution if the sampler has none, that of limits if there are
    none, and that of fast and slow learners if the members of a generation do not learn in pairs.

    All figures together are less than 200 kB of JSON, however long the search is.

    Args:
        study: The study, or a snapshot of it.
    """
    snapshot = study if isinstance(study, StudySnapshot) else StudySnapshot.of(study)
    figures = {"relativenas-generations": generations_figure(snapshot)}
    if snapshot.has_distribution:
        figures["relativenas-distribution"] = distribution_figure(snapshot)
        figures["relativenas-entropy"] = entropy_figure(snapshot)
    figures |= {
        "relativenas-diversity": diversity_figure(snapshot),
        "relativenas-operations": operations_figure(snapshot),
        "relativenas-costs": costs_figure(snapshot),
    }
    if shares_of_limits(snapshot):
        figures["relativenas-cost-limits"] = cost_limits_figure(snapshot)
    if snapshot.view is None or snapshot.has_pairs:
        figures["relativenas-fast-learners"] = fast_learners_figure(snapshot)
    return figures
