"""What can be built: spaces and their architectures, and those of the literature."""

from relativenas_optuna.spaces.cell_space import PAPER_OPERATIONS, CellSpace
from relativenas_optuna.spaces.genotype import Cell, Edge, Genotype
from relativenas_optuna.spaces.nasbench201 import (
    NASBENCH201_OPERATIONS,
    NASBench201,
    NASBench201Cell,
)
from relativenas_optuna.spaces.protocol import Space, suggest
from relativenas_optuna.spaces.published import PUBLISHED, Published, published

__all__ = [
    "NASBENCH201_OPERATIONS",
    "PAPER_OPERATIONS",
    "PUBLISHED",
    "Cell",
    "CellSpace",
    "Edge",
    "Genotype",
    "NASBench201",
    "NASBench201Cell",
    "Published",
    "Space",
    "published",
    "suggest",
]
