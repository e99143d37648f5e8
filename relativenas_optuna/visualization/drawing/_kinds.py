"""How an operation is named and coloured in a drawing."""

from __future__ import annotations

import re
from dataclasses import dataclass


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


def kind_of(operation: str) -> Kind:
    """The first kind that fits; the last fits every operation."""
    return next(kind for kind in KINDS if operation.startswith(kind.prefix))


def label_of(operation: str) -> str:
    """The name as a person would write it: `sep_conv_3x3` is "sep conv 3×3"."""
    if operation == "skip_connect":
        return "skip"
    return re.sub(r"(\d)x(\d)", r"\1×\2", operation).replace("_", " ")
