"""Write a study as one HTML page."""

from relativenas_optuna.dashboard.html_report.page import write_report

__all__ = ["write_report"]
