"""Default values and names that options and plans share; importing this module is cheap."""

from __future__ import annotations

DATA_NAMES = ("digits", "cifar10", "cifar100")
DEFAULT_OUT = "relativenas-out"
DEFAULT_STORAGE = "sqlite:///relativenas.db"
DEFAULT_STUDY = "relativenas"
RELATIVENAS, RANDOM = SAMPLERS = ("relativenas", "random")
"""Names of samplers: slow-fast learning as published, and its baseline without learning."""
