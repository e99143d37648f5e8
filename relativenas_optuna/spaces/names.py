"""Names of the built-in search spaces; importing this module is cheap."""

from __future__ import annotations

CELLS = "cells"
"""Name of the cell space, the default."""

NASBENCH201 = "nasbench201"
BUILT_IN_NAMES = (CELLS, NASBENCH201)
