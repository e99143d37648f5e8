"""Facts by which the weights of one supernet differ from those of another."""

from __future__ import annotations

from typing import Any, TypeAlias

#: A number, a name, or names in alphabetical order.
Fact: TypeAlias = int | str | list[str]

_SIZES = {
    "channels": "channels",
    "num_classes": "classes",
    "in_channels": "image channels",
}


def facts(supernet: Any) -> dict[str, Fact]:
    """Return facts about a supernet that its weights depend on, by name: space and sizes.

    If a supernet of the user has a property `facts`, its value is returned.

    Args:
        supernet: A `SharedNetwork`.
    """
    own = getattr(supernet, "facts", None)
    if isinstance(own, dict):
        return dict(own)
    space = getattr(supernet, "space", None)
    found: dict[str, Fact] = {}
    if space is not None:
        found["space"] = type(space).__name__
        nodes, operations = (getattr(space, name, None) for name in ("nodes", "operations"))
        if isinstance(nodes, int):
            found["nodes"] = nodes
        if isinstance(operations, tuple):
            found["operations"] = sorted(map(str, operations))
    cells: Any = getattr(supernet, "cells", None)
    if hasattr(cells, "__len__"):
        found["cells"] = len(cells)
    sizes = {shown: getattr(supernet, name, None) for name, shown in _SIZES.items()}
    return found | {name: size for name, size in sizes.items() if isinstance(size, int)}


def differences(theirs: Any, ours: dict[str, Fact]) -> list[str]:
    """Return the differences between the facts of stored weights and those of a supernet.

    Args:
        theirs: Facts in a file of weights. Anything but a dict has no differences.
        ours: Facts of the supernet that needs weights.
    """
    if not isinstance(theirs, dict):
        return []
    found = []
    for name, own in ours.items():
        other = theirs.get(name, own)
        if other == own:
            continue
        if isinstance(own, list) and isinstance(other, list):
            found += [
                f"{name}: {', '.join(map(str, some))} are in {where} alone"
                for where, some in (
                    ("the weights", [one for one in other if one not in own]),
                    ("this search", [one for one in own if one not in other]),
                )
                if some
            ]
        else:
            found.append(f"{name}: the weights have {_brief(other)}, this search has {_brief(own)}")
    return found


def _brief(value: object) -> str:
    return repr(value)[:80]
