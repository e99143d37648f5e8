"""Neural architecture search by slow-fast learning, as an Optuna sampler and an objective.

The names below are loaded at first use, so that importing the package loads neither torch nor a
database driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.networks.building import build
    from relativenas_optuna.objective import SupernetObjective
    from relativenas_optuna.samplers.relative_nas import RelativeNASSampler
    from relativenas_optuna.samplers.trust import trusted_trial
    from relativenas_optuna.samplers.view import SearchView
    from relativenas_optuna.spaces.cell_space import CellSpace
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.spaces.published import published
    from relativenas_optuna.storage import open_storage

__version__ = "0.1.0"

__all__ = [
    "CellSpace",
    "Genotype",
    "RelativeNASSampler",
    "SearchView",
    "SupernetObjective",
    "build",
    "open_storage",
    "published",
    "trusted_trial",
]

_HOMES = {
    "CellSpace": "spaces.cell_space",
    "Genotype": "spaces.genotype",
    "RelativeNASSampler": "samplers.relative_nas",
    "SearchView": "samplers.view",
    "SupernetObjective": "objective",
    "build": "networks.building",
    "open_storage": "storage",
    "published": "spaces.published",
    "trusted_trial": "samplers.trust",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
