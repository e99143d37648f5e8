"""Interactive figures of a search, in the manner of `optuna.visualization`."""

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
