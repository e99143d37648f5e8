"""RelativeNASSampler of relativenas-optuna, as an OptunaHub package."""

from relativenas_optuna import RelativeNASSampler

__all__ = ["RelativeNASSampler"]
