"""Default values and names that options and plans share; importing this module is cheap."""

from __future__ import annotations

DEFAULT_OUT = "relativenas-out"
DEFAULT_STORAGE = "sqlite:///relativenas.db"
DEFAULT_STUDY = "relativenas"
TRAINED_CHANNELS, TRAINED_CELLS = 8, 5
"""Size of the network that `relativenas train` builds without --recipe."""
SAMPLERS = ("relativenas", "migo", "regularized-evolution", "random")
RELATIVENAS, MIGO, REGULARIZED_EVOLUTION, RANDOM = SAMPLERS
"""Names of samplers: those of the two papers, and two baselines."""
