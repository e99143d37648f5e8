"""Pictures of architectures."""

from relativenas_optuna.drawing._figure import draw_genotype
from relativenas_optuna.drawing._save import save_drawing

__all__ = ["draw_genotype", "save_drawing"]
