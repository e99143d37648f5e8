"""Interactive figures of a search, in the manner of `optuna.visualization`.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.visualization._all import plot_all
    from relativenas_optuna.visualization._costs import plot_costs
    from relativenas_optuna.visualization._diversity import plot_diversity
    from relativenas_optuna.visualization._generations import plot_generations
    from relativenas_optuna.visualization._operations import plot_operations
    from relativenas_optuna.visualization._seen import Seen
    from relativenas_optuna.visualization._wins import plot_wins

__all__ = [
    "Seen",
    "plot_all",
    "plot_costs",
    "plot_diversity",
    "plot_generations",
    "plot_operations",
    "plot_wins",
]

_HOMES = {
    "Seen": "visualization._seen",
    "plot_all": "visualization._all",
    "plot_costs": "visualization._costs",
    "plot_diversity": "visualization._diversity",
    "plot_generations": "visualization._generations",
    "plot_operations": "visualization._operations",
    "plot_wins": "visualization._wins",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
