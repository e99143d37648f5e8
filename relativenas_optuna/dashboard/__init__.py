"""Notes, drawings and figures for optuna-dashboard, and the HTML report of a study.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.dashboard.folder import artifact_folder
    from relativenas_optuna.dashboard.html_report.page import write_report
    from relativenas_optuna.dashboard.reporter import DashboardReporter, reporter_of

__all__ = [
    "DashboardReporter",
    "artifact_folder",
    "reporter_of",
    "write_report",
]

_HOMES = {
    "DashboardReporter": "dashboard.reporter",
    "artifact_folder": "dashboard.folder",
    "reporter_of": "dashboard.reporter",
    "write_report": "dashboard.html_report.page",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
