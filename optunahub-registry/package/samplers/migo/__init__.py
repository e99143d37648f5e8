"""MIGOSampler of relativenas-optuna, as an OptunaHub package."""

from relativenas_optuna import MIGOSampler

__all__ = ["MIGOSampler"]
