"""How an operation is named and coloured in a drawing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from relativenas_optuna.spaces.genotype import Genotype

Origin = Literal["taken", "moved", "kept"]


@dataclass(frozen=True)
class Kind:
    """A family of operations that share a colour.

    Attributes:
        prefix: How the names of its operations begin.
        label: Its name in the legend.
        colour: Colour of its wires and of the border of its boxes; the set is that of Okabe and
            Ito, which people with colour-blindness tell apart.
        fill: A light tint of the colour, for dark text to stand on.
    """

    prefix: str
    label: str
    colour: str
    fill: str


KINDS = (
    Kind("sep_conv_", "separable convolution", "#0072b2", "#d6e8f5"),
    Kind("dil_conv_", "dilated convolution", "#009e73", "#d3eee5"),
    Kind("max_pool_", "max pooling", "#d55e00", "#fbe0cf"),
    Kind("avg_pool_", "average pooling", "#e0a000", "#fcefcc"),
    Kind("skip_connect", "skip connection", "#6e6e6e", "#ececec"),
    Kind("", "other operation", "#b0588a", "#f4e1ec"),
)
ORIGINS: dict[Origin, Kind] = {
    "taken": Kind("", "just taken over from its fast learner", "#d55e00", "#fbe0cf"),
    "moved": Kind("", "moved toward its fast learner's", "#0072b2", "#d6e8f5"),
    "kept": Kind("", "kept", "#6e6e6e", "#ececec"),
}


def kind_of(operation: str) -> Kind:
    """The first kind that fits; the last fits every operation."""
    return next(kind for kind in KINDS if operation.startswith(kind.prefix))


def label_of(operation: str) -> str:
    """The name as a person would write it: `sep_conv_3x3` is "sep conv 3×3"."""
    if operation == "skip_connect":
        return "skip"
    return re.sub(r"(\d)x(\d)", r"\1×\2", operation).replace("_", " ")


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
