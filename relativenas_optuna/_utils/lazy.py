"""Public names of a package that are imported at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ROOT = "relativenas_optuna"


def lazy_names(
    package: str, homes: Mapping[str, str], parts: Sequence[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a package.

    Args:
        package: Dotted name of the package.
        homes: Dotted name, below `relativenas_optuna`, of the module that defines each public name.
        parts: Names of packages inside of the package that are attributes of it.
    """

    def get(name: str) -> object:
        if name in parts:
            return import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{_ROOT}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *homes, *parts})

    return get, names


def lazy_method(module: str, function: str) -> Callable[[Any], str]:
    """Return a method that calls a function with its object; its module is imported at first use.

    It lets a notebook show an object by a part that lies above the part of the object's class.

    Args:
        module: Dotted name of the module below `relativenas_optuna`.
        function: Name of the function, which takes the object and returns HTML or SVG.
    """

    def show(self: Any) -> str:
        shown: str = getattr(import_module(f"{_ROOT}.{module}"), function)(self)
        return shown

    return show
