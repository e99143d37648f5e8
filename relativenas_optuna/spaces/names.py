"""Names of the built-in search spaces; importing this module is cheap."""

from __future__ import annotations

CELLS = "cells"
"""Name of the cell space, the default."""

NASBENCH201 = "nasbench201"
TORCHVISION = "torchvision"
"""Name that stands for torchvision's networks, which are backbones for other tasks only."""

BUILT_IN_NAMES = (CELLS, NASBENCH201)
