"""Networks of torchvision that a found architecture is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.evaluation.comparison.contestants import Contestant
from relativenas_optuna.evaluation.comparison.figures import SMALL_IMAGE, TORCHVISION
from relativenas_optuna.evaluation.comparison.torchvision_models import (
    check_takes,
    has_strided_stem,
    torchvision_genotype,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def rivals(
    names: Iterable[str], *, stem: str | None, shape: tuple[int, int, int]
) -> list[Contestant]:
    """Return the networks of torchvision that take part, in the order of the table.

    Args:
        names: Names of classification networks of torchvision.
        stem: One of `figures.STEMS`. None takes both for images under 64 pixels, where the network
            with the small stem is left out if the time is too short for it; otherwise
            torchvision's.
        shape: Channels, height and width of an image.

    Raises:
        ValueError: A name is unknown, or a network does not take these images or has no such stem.
    """
    found: list[Contestant] = []
    for name in dict.fromkeys(names):
        stems = _stems(name, stem, shape)
        for small in stems:
            genotype = torchvision_genotype(name, small_stem=small)
            check_takes(genotype, shape)
            optional = small and stem is None
            found.append(
                Contestant(
                    kind=TORCHVISION, name=str(genotype), genotype=genotype, optional=optional
                )
            )
    return found


def _stems(name: str, stem: str | None, shape: tuple[int, int, int]) -> list[bool]:
    """Return the stems that a network is trained with: True for the small one, else False."""
    torchvision_genotype(name)  # raises if the name is unknown
    small_image = max(shape[1:]) < SMALL_IMAGE
    asked = stem or ("both" if small_image else "torchvision")
    small = asked != "torchvision" and has_strided_stem(name)
    if asked == "small" and not small:
        raise ValueError(
            f"stem must be torchvision for {name}, whose first convolution has no stride of 2; got "
            f"{stem!r}"
        )
    return [*([False] if asked != "small" else []), *([True] if small else [])]
