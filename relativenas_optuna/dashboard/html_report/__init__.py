"""A study as one page that can be mailed."""

from relativenas_optuna.dashboard.html_report.page import write_report

__all__ = ["write_report"]
