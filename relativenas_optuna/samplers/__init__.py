"""Samplers for Optuna studies, and what they say of a study.

The names below are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.samplers.relative_nas import RelativeNASSampler
    from relativenas_optuna.samplers.settings import SettingsError
    from relativenas_optuna.samplers.trust import trusted_trial
    from relativenas_optuna.samplers.view import SearchView

__all__ = ["RelativeNASSampler", "SearchView", "SettingsError", "trusted_trial"]

_HOMES = {
    "RelativeNASSampler": "relative_nas",
    "SearchView": "view",
    "SettingsError": "settings",
    "trusted_trial": "trust",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
