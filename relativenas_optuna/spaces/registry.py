"""Search spaces by name, each with the networks of its architectures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeAlias

from relativenas_optuna._utils.dotted_names import is_dotted, load_dotted
from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.spaces.names import CELLS, NASBENCH201, TORCHVISION
from relativenas_optuna.spaces.nasbench201 import NASBench201
from relativenas_optuna.spaces.protocol import Space, check_space

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """The sizes of a network.

    Attributes:
        channels: Channels of the first cell's nodes.
        cells: Number of cells.
        in_channels: Channels of an image.
        num_classes: Number of classes.
    """

    channels: int
    cells: int
    in_channels: int
    num_classes: int


Factory: TypeAlias = Callable[[Any, NetworkSizes], Any] | str
"""A function, or the text "MODULE:ATTRIBUTE" of one whose module loads PyTorch."""


@dataclass(frozen=True, kw_only=True)
class RegisteredSpace:
    """A search space under a name, with the networks of its architectures.

    Attributes:
        name: Name that `--space` takes: one of a built-in space, or MODULE:ATTRIBUTE.
        space: Function that returns the space for a number of nodes in a cell. Only "cells" uses
            that number.
        supernet: (space, sizes) -> supernet, a `torch.nn.Module`.
        network: (architecture, sizes) -> stand-alone network, a `torch.nn.Module`. None to take the
            method `standalone` of the supernet.
    """

    name: str
    space: Callable[[int], Space[Any]]
    supernet: Factory
    network: Factory | None

    @property
    def built_in(self) -> bool:
        """True for a space of this package."""
        return self.name in BUILT_IN

    def build_supernet(self, space: Space[Any], sizes: NetworkSizes) -> Any:
        """Build the supernet of `space`, which `self.space` returned."""
        return _function(self.supernet)(space, sizes)

    def build_network(self, architecture: Any, sizes: NetworkSizes) -> Any:
        """Build the stand-alone network of an architecture.

        Raises:
            SpaceError: The space has no stand-alone networks.
        """
        if self.network is not None:
            return _function(self.network)(architecture, sizes)
        supernet = self.build_supernet(self.space(CellSpace.nodes), sizes)
        if not hasattr(supernet, "standalone"):
            raise SpaceError(
                f"space {self.name!r} has no stand-alone networks: give register_space(..., "
                f"network=), or the supernet a method standalone(architecture)"
            )
        return supernet.standalone(architecture)

    def own_supernet(self, *, channels: int, cells: int, nodes: int) -> Any:
        """Return the `supernet` argument of `SupernetObjective` for this space.

        Returns:
            A function (channels of an image, classes) -> supernet. None if the supernet is that of
            a built-in space, which `SupernetObjective` knows.
        """
        if isinstance(self.supernet, str):
            return None
        space = self.space(nodes)
        return lambda in_channels, num_classes: self.build_supernet(
            space,
            NetworkSizes(
                channels=channels, cells=cells, in_channels=in_channels, num_classes=num_classes
            ),
        )

    def parse(self, text: str) -> Any:
        """Read an architecture from its text.

        Raises:
            ValueError: The text is not an architecture of the space.
        """
        return self.space(CellSpace.nodes).parse(text)


BUILT_IN = {
    space.name: space
    for space in (
        RegisteredSpace(
            name=CELLS,
            space=lambda nodes: CellSpace(nodes=nodes),
            supernet="relativenas_optuna.networks.supernet:cell_supernet",
            network="relativenas_optuna.networks.network:cell_network",
        ),
        RegisteredSpace(
            name=NASBENCH201,
            space=lambda _: NASBench201(),
            supernet="relativenas_optuna.networks.nasbench201:nasbench201_supernet",
            network="relativenas_optuna.networks.nasbench201:nasbench201_network",
        ),
    )
}
"""The spaces of this package by name."""

_REGISTERED = dict(BUILT_IN)


def register_space(
    name: str,
    space: Space[Any],
    *,
    supernet: Callable[[int, int], Any] | None = None,
    network: Callable[[Any, int, int], Any] | None = None,
) -> RegisteredSpace:
    """Register a search space under a name, for the option `--space MODULE:ATTRIBUTE`.

    Assign the result to a variable of a module in the current folder or on the Python path:
    `relativenas search --space my_module:DEPTHS` then finds it, and so does every later command of
    the study. A name that was registered before is replaced.

    Args:
        name: Letters, digits, "_" and "-"; not the name of a built-in space.
        space: The architectures; see `Space`.
        supernet: Function (channels of an image, classes) that returns a supernet with initial
            weights; see `networks.SharedNetwork`. None for a `CellSpace` or a `NASBench201`, whose
            supernet is built in.
        network: Function (architecture, channels of an image, classes) that returns the
            stand-alone network of an architecture with initial weights. None to take the method
            `standalone` of the supernet.

    Raises:
        SpaceError: The name cannot be taken.
        TypeError: The name is not text, `space` lacks a part of its protocol, or the supernet is
            missing.

    Example:
        >>> from relativenas_optuna.spaces import CellSpace, register_space
        >>> convolutions = CellSpace(operations=("sep_conv_3x3", "dil_conv_3x3"))
        >>> register_space("convolutions", convolutions).name
        'convolutions'
    """
    _check_text(name)
    if not _NAME.fullmatch(name) or name in (*BUILT_IN, TORCHVISION):
        raise SpaceError(
            f"name must be 1 to 100 letters, digits, '_' and '-', and none of "
            f"{', '.join((*BUILT_IN, TORCHVISION))}; got {name!r}"
        )
    check_space(space)
    ours = built_in_for(space)
    if supernet is None and ours is None:
        raise TypeError(
            f"supernet must be a function (in_channels, num_classes) -> torch.nn.Module for a "
            f"{type(space).__name__}; got None"
        )
    for argument, given in (("supernet", supernet), ("network", network)):
        if given is not None and not callable(given):
            raise TypeError(f"{argument} must be a function; got {type(given).__name__}")
    registered = RegisteredSpace(
        name=name,
        space=lambda _: space,
        supernet=_supernet_factory(supernet, ours),
        network=_network_factory(supernet, network, ours),
    )
    _REGISTERED[name] = registered
    return registered


def registered_space(name: str) -> RegisteredSpace:
    """Return the space of that name, without importing a module.

    A file from elsewhere may name a space, and must not decide which code is run.

    Raises:
        SpaceError: No space of that name is registered in this process.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if is_dotted(name):
        raise SpaceError(
            f"space {name!r} is not loaded: give --space {name}, or call load_space({name!r})"
        )
    raise SpaceError(
        f"space must be one of {', '.join(_REGISTERED)}, or MODULE:ATTRIBUTE of a space that "
        f"register_space returned; got {name[:100]!r}"
    )


def load_space(name: str) -> RegisteredSpace:
    """Return the space of that name; the module of a name MODULE:ATTRIBUTE is imported.

    The module is looked for on the Python path and then in the current folder.

    Raises:
        SpaceError: No such space is registered, or the module or its attribute is missing.
        TypeError: The name is not text.
    """
    _check_text(name)
    if not is_dotted(name) or name in _REGISTERED:
        return registered_space(name)
    try:
        found = load_dotted(name, "space")
    except ImportError as error:
        raise SpaceError(str(error)) from error
    if not isinstance(found.value, RegisteredSpace):
        raise SpaceError(f"{found.where} must be what register_space returned; got {found.kind}")
    _REGISTERED[name] = replace(found.value, name=name)
    return _REGISTERED[name]


def built_in_for(space: object) -> RegisteredSpace | None:
    """Return the built-in space of the same class, which has the networks of `space`."""
    for registered in BUILT_IN.values():
        if isinstance(space, type(registered.space(CellSpace.nodes))):
            return registered
    return None


def _check_text(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be the name of a search space, as text; got {name!r:.100}")


def _function(factory: Factory) -> Callable[[Any, NetworkSizes], Any]:
    if not isinstance(factory, str):
        return factory
    module, _, attribute = factory.partition(":")
    function: Callable[[Any, NetworkSizes], Any] = getattr(import_module(module), attribute)
    return function


def _supernet_factory(
    supernet: Callable[[int, int], Any] | None, ours: RegisteredSpace | None
) -> Factory:
    if supernet is None:
        assert ours is not None
        return ours.supernet
    return lambda _, sizes: supernet(sizes.in_channels, sizes.num_classes)


def _network_factory(
    supernet: Callable[[int, int], Any] | None,
    network: Callable[[Any, int, int], Any] | None,
    ours: RegisteredSpace | None,
) -> Factory | None:
    if network is not None:
        return lambda architecture, sizes: network(
            architecture, sizes.in_channels, sizes.num_classes
        )
    if supernet is None:
        assert ours is not None
        return ours.network
    return None
