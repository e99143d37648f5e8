"""Score trials with one shared set of weights.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import DamagedFileError, PlaceError
    from relativenas_optuna.objective.candidate import CandidateTrainer
    from relativenas_optuna.objective.settings import SearchSettings, preset
    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.objective.weight_set import Candidate, Trained, WeightSet

__all__ = [
    "Candidate",
    "CandidateTrainer",
    "DamagedFileError",
    "PlaceError",
    "SearchSettings",
    "SupernetObjective",
    "Trained",
    "WeightSet",
    "preset",
]

_HOMES = {
    "Candidate": "objective.weight_set",
    "DamagedFileError": "exceptions",
    "PlaceError": "exceptions",
    "SearchSettings": "objective.settings",
    "SupernetObjective": "objective.supernet_objective",
    "Trained": "objective.weight_set",
    "CandidateTrainer": "objective.candidate",
    "WeightSet": "objective.weight_set",
    "preset": "objective.settings",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
