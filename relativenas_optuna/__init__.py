"""Neural architecture search by slow-fast learning, as an Optuna sampler and an objective.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.networks.build_network import build
    from relativenas_optuna.networks.timm_models import register_with_timm
    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.samplers.migo.sampler import MIGOSampler
    from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
    from relativenas_optuna.samplers.relative_nas.surrogate.trusted_trial import trusted_trial
    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.spaces.cell_space import CellSpace
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.spaces.published_cells import published
    from relativenas_optuna.storages.opening import open_storage

__version__ = "0.1.0"

__all__ = [
    "CellSpace",
    "Genotype",
    "MIGOSampler",
    "RelativeNASSampler",
    "SearchView",
    "SupernetObjective",
    "build",
    "open_storage",
    "published",
    "register_with_timm",
    "trusted_trial",
]

_HOMES = {
    "CellSpace": "spaces.cell_space",
    "Genotype": "spaces.genotype",
    "MIGOSampler": "samplers.migo.sampler",
    "RelativeNASSampler": "samplers.relative_nas.sampler",
    "SearchView": "samplers.search_view",
    "SupernetObjective": "objective.supernet_objective",
    "build": "networks.build_network",
    "open_storage": "storages.opening",
    "published": "spaces.published_cells",
    "register_with_timm": "networks.timm_models",
    "trusted_trial": "samplers.relative_nas.surrogate.trusted_trial",
}

_PARTS = (
    "dashboard",
    "evaluation",
    "exceptions",
    "networks",
    "objective",
    "samplers",
    "search",
    "spaces",
    "storages",
    "training",
    "visualization",
)

__getattr__, __dir__ = lazy_names(__name__, _HOMES, _PARTS)
