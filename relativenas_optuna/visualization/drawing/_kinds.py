"""Names and colours of operations, and of the origins of edges, in a drawing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from relativenas_optuna.spaces.genotype import Genotype

Origin = Literal["taken", "moved", "kept"]


@dataclass(frozen=True)
class Kind:
    """A kind of operation or origin, with its colour.

    Attributes:
        prefix: Start of the names of its operations.
        label: Name in the legend.
        colour: Colour of its wires and of the border of its boxes; one of the colours of Okabe and
            Ito, which people with colour blindness can tell apart.
        fill: Light tint of the colour, as a background for dark text.
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
    """Return the kind of an operation."""
    return next(kind for kind in KINDS if operation.startswith(kind.prefix))


def label_of(operation: str) -> str:
    """Return the readable name of an operation: "sep conv 3×3" for `sep_conv_3x3`."""
    if operation == "skip_connect":
        return "skip"
    return re.sub(r"(\d)x(\d)", r"\1×\2", operation).replace("_", " ")


def origins_of(genotype: Genotype, own: Genotype, fast: Genotype) -> tuple[Origin, ...] | None:
    """Return the origin of each edge of a slow learner after it has learned.

    Args:
        genotype: Architecture of the slow learner after learning.
        own: Architecture of the slow learner before learning.
        fast: Architecture of its fast learner.

    Returns:
        One origin for each edge, in the order of `(*normal.edges, *reduce.edges)`: "kept" if it is
        the same as before, "taken" if it is now the same as in the fast learner, else "moved", as
        in Figure 1 of the paper. None if the three architectures have other numbers of edges at
        their nodes.
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
