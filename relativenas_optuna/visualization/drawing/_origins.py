"""Where the edges of a member that learned come from, as in Figure 1 of the paper."""

from __future__ import annotations

from typing import Literal

from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.visualization.drawing._kinds import Kind

Origin = Literal["taken", "moved", "kept"]

ORIGINS: dict[Origin, Kind] = {
    "taken": Kind("", "just taken over from its fast learner", "#d55e00", "#fbe0cf"),
    "moved": Kind("", "moved toward its fast learner's", "#0072b2", "#d6e8f5"),
    "kept": Kind("", "kept", "#6e6e6e", "#ececec"),
}


def origins_of(genotype: Genotype, own: Genotype, fast: Genotype) -> tuple[Origin, ...] | None:
    """Where each edge of a slow learner that has learned comes from.

    Args:
        genotype: What it is now.
        own: What it was.
        fast: What its fast learner was.

    Returns:
        For each edge in the order of `(*normal.edges, *reduce.edges)`: "kept" where it is what it
        was, "taken" where it is now as in its fast learner, else "moved". `None` where the three
        have not the same number of edges at each node.
    """
    shapes = {
        tuple(tuple(map(len, cell.nodes)) for cell in (one.normal, one.reduce))
        for one in (genotype, own, fast)
    }
    if len(shapes) > 1:
        return None
    edges = [(*one.normal.edges, *one.reduce.edges) for one in (genotype, own, fast)]
    return tuple(
        "kept" if now == before else "taken" if now == learned else "moved"
        for now, before, learned in zip(*edges, strict=True)
    )
