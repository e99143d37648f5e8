"""Names of the built-in search spaces; importing this module is cheap."""

from __future__ import annotations

from relativenas_optuna._utils.text import number_of

CELLS = "cells"
"""Name of the cell space, the default."""

NASBENCH201 = "nasbench201"
TORCHVISION = "torchvision"
"""Name that stands for torchvision's networks, which are backbones for other tasks only."""

BUILT_IN_NAMES = (CELLS, NASBENCH201)


def network_size(space: str | None, *, cells: int, channels: int) -> str:
    """Return the size of a stand-alone network in words.

    A custom space decides the size of its networks itself, so its name stands in place of it.
    """
    if space not in BUILT_IN_NAMES:
        return f"space {space}"
    return f"{number_of(cells, 'cell')} and {number_of(channels, 'channel')}"
