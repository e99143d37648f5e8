"""Check a custom space before its search, so that a mistake in it is reported at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.networks.conformance import check_genotype
from relativenas_optuna.networks.protocol import as_module
from relativenas_optuna.spaces.space_genotype import SpaceGenotype

if TYPE_CHECKING:
    from relativenas_optuna.networks.initial import Build
    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.spaces.registry import RegisteredSpace


def check_random_architecture(name: str, space: Space[Any]) -> None:
    """Raise if a random architecture of a space cannot be read back from its text and parameters.

    Args:
        name: Name of the space, for the error message.
        space: The space.

    Raises:
        SpaceError: The space breaks its protocol, or one of its methods raised an error.
    """
    try:
        genotype = space.random(np.random.default_rng(0))
        SpaceGenotype(name, space.text(genotype))  # raises if the text cannot be stored and shown
        check_genotype(space, genotype)
    except Exception as error:  # a space of the user can raise anything
        reason = " ".join(str(error).split())[:200]
        raise SpaceError(
            f"space {name!r} fails with a random architecture, {type(error).__name__}: {reason}"
        ) from error


def supernet_builder(registered: RegisteredSpace, settings: SearchSettings) -> Build | None:
    """Return the `supernet` argument of `SupernetObjective` for a search in a space.

    Returns:
        A function (channels of an image, classes) -> supernet, which raises `SpaceError` if the
        user's function does not return a supernet. None if the supernet is that of a built-in
        space.
    """
    build = registered.own_supernet(
        channels=settings.channels, cells=settings.cells, nodes=settings.nodes
    )
    if build is None:
        return None

    def checked(in_channels: int, num_classes: int) -> Any:
        try:
            return as_module(build(in_channels, num_classes))
        except TypeError as error:
            raise SpaceError(f"space {registered.name!r}: {error}") from error

    return checked
