"""The files that describe an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._utils.files import write_whole

if TYPE_CHECKING:
    from relativenas_optuna.spaces.genotype import Genotype


def write_genotype(genotype: Genotype, folder: Path, stem: str, title: str) -> None:
    """Write an architecture as text, JSON and drawings into a folder."""
    from relativenas_optuna.visualization.drawing._save import save_drawing

    write_whole(folder / f"{stem}.txt", f"{genotype.to_text()}\n".encode())
    write_whole(folder / f"{stem}.json", f"{genotype.to_json()}\n".encode())
    for suffix in ("png", "svg"):
        save_drawing(genotype, folder / f"{stem}.{suffix}", title=title)


def file_names(stem: str) -> list[str]:
    """What `write_genotype` writes."""
    return [f"{stem}.{suffix}" for suffix in ("txt", "json", "png", "svg")]
