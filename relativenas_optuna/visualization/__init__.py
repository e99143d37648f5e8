"""Plot interactive figures of a search, like those of `optuna.visualization`.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.visualization._all import plot_all
    from relativenas_optuna.visualization._cost_limits import plot_cost_limits
    from relativenas_optuna.visualization._costs import plot_costs
    from relativenas_optuna.visualization._distribution import plot_distribution
    from relativenas_optuna.visualization._diversity import plot_diversity
    from relativenas_optuna.visualization._entropy import plot_entropy
    from relativenas_optuna.visualization._fast_learners import plot_fast_learners
    from relativenas_optuna.visualization._generations import plot_generations
    from relativenas_optuna.visualization._operations import plot_operations
    from relativenas_optuna.visualization._snapshot import StudySnapshot

__all__ = [
    "StudySnapshot",
    "plot_all",
    "plot_cost_limits",
    "plot_costs",
    "plot_distribution",
    "plot_diversity",
    "plot_entropy",
    "plot_fast_learners",
    "plot_generations",
    "plot_operations",
]

_HOMES = {
    "StudySnapshot": "visualization._snapshot",
    "plot_all": "visualization._all",
    "plot_cost_limits": "visualization._cost_limits",
    "plot_costs": "visualization._costs",
    "plot_distribution": "visualization._distribution",
    "plot_diversity": "visualization._diversity",
    "plot_entropy": "visualization._entropy",
    "plot_generations": "visualization._generations",
    "plot_operations": "visualization._operations",
    "plot_fast_learners": "visualization._fast_learners",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
