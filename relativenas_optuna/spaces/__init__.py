"""What can be built: genotypes, the spaces that hold them, and those of the literature."""

from relativenas_optuna.spaces.cell_space import PAPER_OPERATIONS, CellSpace
from relativenas_optuna.spaces.genotype import Cell, Edge, Genotype
from relativenas_optuna.spaces.published import PUBLISHED, Published, published

__all__ = [
    "PAPER_OPERATIONS",
    "PUBLISHED",
    "Cell",
    "CellSpace",
    "Edge",
    "Genotype",
    "Published",
    "published",
]
