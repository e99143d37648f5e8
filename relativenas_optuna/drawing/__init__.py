"""Pictures of architectures, and of what they came to."""

from relativenas_optuna.drawing._confusion import draw_confusion
from relativenas_optuna.drawing._figure import draw_genotype
from relativenas_optuna.drawing._origins import Origin, origins_of
from relativenas_optuna.drawing._save import figure_bytes, save_drawing, save_figure
from relativenas_optuna.drawing._scatter import Mark, Measured, draw_scatter

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
