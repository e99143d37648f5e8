"""What optuna-dashboard shows of a search: notes, pictures and figures."""

from relativenas_optuna.dashboard.folder import artifact_folder
from relativenas_optuna.dashboard.reporter import DashboardReporter, reporter_of

__all__ = ["DashboardReporter", "artifact_folder", "reporter_of"]
