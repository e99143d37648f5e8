"""Objects of a user's modules by names such as "my_module:SPACE"."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any, NamedTuple

_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


class Found(NamedTuple):
    """An attribute of a module.

    Attributes:
        value: The attribute; None if the module has none of that name.
        where: The name of the attribute, and its module and file, for an error message. The file
            shows that another module of that name hides the user's.
        kind: Name of the class of `value`, or "no such attribute", for an error message.
    """

    value: Any
    where: str
    kind: str


def is_dotted(name: str) -> bool:
    """Return True if a name has the form MODULE:ATTRIBUTE."""
    return _DOTTED.fullmatch(name) is not None


def load_dotted(name: str, what: str) -> Found:
    """Import the module of a name MODULE:ATTRIBUTE, and return the attribute.

    The module is looked for on the Python path and then in the current folder.

    Args:
        name: The name, for which `is_dotted` is True.
        what: What the name stands for, for the error message.

    Raises:
        ImportError: The module cannot be imported, for whatever reason; the message is one line.
    """
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:
        # Console scripts lack the current folder. Last, so that it hides no installed module.
        sys.path.append("")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:  # a module of the user can end with anything
        reason = " ".join(str(error).split())[:200]
        raise ImportError(
            f"module {module_name!r} of {what} {name!r} cannot be imported, "
            f"{type(error).__name__}: {reason}"
        ) from error
    value = getattr(module, attribute, None)
    file = getattr(module, "__file__", None) or "built into Python"
    kind = "no such attribute" if value is None else type(value).__name__
    return Found(value, f"{attribute!r} of module {module_name!r} ({file})", kind)
