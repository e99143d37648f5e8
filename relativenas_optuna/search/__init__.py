"""A search in a study: its plan, its run, its result and its status.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import FolderInUseError, SearchError
    from relativenas_optuna.search.choice import Choice, Finalist, best_architectures
    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.search.search import Search
    from relativenas_optuna.search.seat_loop import score_seats
    from relativenas_optuna.search.status import status_of
    from relativenas_optuna.search.status_record import Status
    from relativenas_optuna.search.study_file import StudyFile

__all__ = [
    "Choice",
    "Finalist",
    "FinalsSettings",
    "FolderInUseError",
    "Search",
    "SearchError",
    "SearchPlan",
    "Status",
    "StudyFile",
    "best_architectures",
    "score_seats",
    "status_of",
]

_HOMES = {
    "Choice": "search.choice",
    "Finalist": "search.choice",
    "FinalsSettings": "search.finals.settings",
    "FolderInUseError": "exceptions",
    "Search": "search.search",
    "SearchError": "exceptions",
    "SearchPlan": "search.plan",
    "Status": "search.status_record",
    "StudyFile": "search.study_file",
    "best_architectures": "search.choice",
    "score_seats": "search.seat_loop",
    "status_of": "search.status",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
