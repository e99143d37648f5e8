"""Public names of a package that are imported at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ROOT = "relativenas_optuna"


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return functions to use as `__getattr__` and `__dir__` of a package.

    Args:
        package: Dotted name of the package.
        homes: Dotted name, below `relativenas_optuna`, of the module that defines each public name.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{_ROOT}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted([*vars(import_module(package)), *homes])

    return get, names
