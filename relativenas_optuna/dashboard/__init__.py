"""What optuna-dashboard shows of a search: notes, pictures and figures."""

from relativenas_optuna.dashboard.folder import artifact_folder

__all__ = ["artifact_folder"]
