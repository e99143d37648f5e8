"""Write the files that describe an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.spaces.space_genotype import cells_of, file_text

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


def write_genotype(genotype: AnyGenotype, folder: Path, stem: str, title: str) -> list[str]:
    """Write an architecture into a folder as text and JSON, and as drawings if it has cells.

    Args:
        genotype: The architecture.
        folder: An existing folder.
        stem: Name of the files without suffix.
        title: Title of the drawings.

    Returns:
        The names of the files.
    """
    from relativenas_optuna.visualization.drawing._save import save_drawing

    write_whole(folder / f"{stem}.txt", file_text(genotype).encode())
    write_whole(folder / f"{stem}.json", f"{genotype.to_json()}\n".encode())
    cells = cells_of(genotype)
    if cells is None:
        return [f"{stem}.txt", f"{stem}.json"]
    for suffix in ("png", "svg"):
        save_drawing(cells, folder / f"{stem}.{suffix}", title=title)
    return [f"{stem}.{suffix}" for suffix in ("txt", "json", "png", "svg")]
