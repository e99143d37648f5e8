"""Draw architectures and results with Matplotlib.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.visualization.drawing._confusion import draw_confusion
    from relativenas_optuna.visualization.drawing._figure import draw_genotype
    from relativenas_optuna.visualization.drawing._kinds import Origin, origins_of
    from relativenas_optuna.visualization.drawing._save import (
        figure_bytes,
        save_drawing,
        save_figure,
    )
    from relativenas_optuna.visualization.drawing._scatter import Mark, Measured, draw_scatter

__all__ = [
    "Mark",
    "Measured",
    "Origin",
    "draw_confusion",
    "draw_genotype",
    "draw_scatter",
    "figure_bytes",
    "origins_of",
    "save_drawing",
    "save_figure",
]

_HOMES = {
    "Mark": "visualization.drawing._scatter",
    "Measured": "visualization.drawing._scatter",
    "Origin": "visualization.drawing._kinds",
    "draw_confusion": "visualization.drawing._confusion",
    "draw_genotype": "visualization.drawing._figure",
    "draw_scatter": "visualization.drawing._scatter",
    "figure_bytes": "visualization.drawing._save",
    "origins_of": "visualization.drawing._kinds",
    "save_drawing": "visualization.drawing._save",
    "save_figure": "visualization.drawing._save",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
