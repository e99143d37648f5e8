"""Architectures: search spaces, genotypes, and the published cells.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.spaces.canonical import Canonical
    from relativenas_optuna.spaces.cell_space import PAPER_OPERATIONS, CellSpace
    from relativenas_optuna.spaces.costs import AdditiveCost, CostFunction, CostTerm, Limit
    from relativenas_optuna.spaces.descriptors import (
        Described,
        DescriptorFunction,
        space_descriptors,
    )
    from relativenas_optuna.spaces.genotype import Cell, Edge, Genotype
    from relativenas_optuna.spaces.nasbench201 import (
        NASBENCH201_OPERATIONS,
        NASBench201,
        NASBench201Cell,
    )
    from relativenas_optuna.spaces.protocol import Space, suggest
    from relativenas_optuna.spaces.published_cells import PUBLISHED, Published, published
    from relativenas_optuna.spaces.registry import (
        RegisteredSpace,
        load_space,
        register_space,
        registered_space,
    )
    from relativenas_optuna.spaces.space_genotype import SpaceGenotype

__all__ = [
    "NASBENCH201_OPERATIONS",
    "PAPER_OPERATIONS",
    "PUBLISHED",
    "AdditiveCost",
    "Canonical",
    "Cell",
    "CellSpace",
    "CostFunction",
    "CostTerm",
    "Described",
    "DescriptorFunction",
    "Edge",
    "Genotype",
    "Limit",
    "NASBench201",
    "NASBench201Cell",
    "Published",
    "RegisteredSpace",
    "Space",
    "SpaceGenotype",
    "load_space",
    "published",
    "register_space",
    "registered_space",
    "space_descriptors",
    "suggest",
]

_HOMES = {
    "AdditiveCost": "spaces.costs",
    "Canonical": "spaces.canonical",
    "CostFunction": "spaces.costs",
    "CostTerm": "spaces.costs",
    "Limit": "spaces.costs",
    "Cell": "spaces.genotype",
    "CellSpace": "spaces.cell_space",
    "Described": "spaces.descriptors",
    "DescriptorFunction": "spaces.descriptors",
    "Edge": "spaces.genotype",
    "Genotype": "spaces.genotype",
    "NASBENCH201_OPERATIONS": "spaces.nasbench201",
    "NASBench201": "spaces.nasbench201",
    "NASBench201Cell": "spaces.nasbench201",
    "PAPER_OPERATIONS": "spaces.cell_space",
    "PUBLISHED": "spaces.published_cells",
    "Published": "spaces.published_cells",
    "RegisteredSpace": "spaces.registry",
    "Space": "spaces.protocol",
    "SpaceGenotype": "spaces.space_genotype",
    "load_space": "spaces.registry",
    "published": "spaces.published_cells",
    "register_space": "spaces.registry",
    "registered_space": "spaces.registry",
    "space_descriptors": "spaces.descriptors",
    "suggest": "spaces.protocol",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
