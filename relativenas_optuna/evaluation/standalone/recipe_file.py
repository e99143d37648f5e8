"""Read a recipe by name or from a TOML file, and change single fields."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from relativenas_optuna._utils.files import decoded
from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES, TASK_RECIPES
from relativenas_optuna.evaluation.standalone.recipe import FIELDS, Recipe

BASE = "base"
_LONGEST = 64 * 1024  # largest file in bytes
_NAMED = {**RECIPES, **TASK_RECIPES}
_WORDS = {"true": True, "false": False}


def recipe_of(
    text: str | None,
    changes: Sequence[str] = (),
    *,
    data: str = "",
    size: int | None = None,
    default: Recipe | None = None,
) -> Recipe:
    """Return a recipe by its name or from a file, with some fields changed.

    Args:
        text: Name of one of `RECIPES` or `TASK_RECIPES`; or path of a TOML file with fields of a
            recipe, and `base` with the name of the recipe for the other fields. None takes the
            default.
        changes: Changes of single fields, each `NAME=VALUE`; the last one for a field counts.
        data: Name of the data set or folder of images to train on.
        default: Default recipe; None takes "digits" for the digits and "short" for other data.
        size: Side of the images in pixels, if neither the recipe nor a change sets it.

    Raises:
        ValueError: A recipe, field or value is unknown or out of range; the message is one line.
        OSError: The file cannot be read.
    """
    if text is None:
        recipe = default or RECIPES["digits" if data == "digits" else "short"]
    else:
        recipe = _NAMED[text] if text in _NAMED else _read(text)
    fields = dict(map(_parsed, changes))
    if size is not None and not recipe.size:
        fields.setdefault("size", size)
    return replace(recipe, **fields)


def _read(text: str) -> Recipe:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"recipe must be one of {', '.join(_NAMED)}, or a TOML file; got {text!r}")
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError(f"recipe file {str(path)!r} is longer than {_LONGEST} bytes")
    try:
        return _from_content(tomllib.loads(decoded(content)))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"recipe file {str(path)!r}: {error}") from error


def _from_content(content: Mapping[str, Any]) -> Recipe:
    base = content.get(BASE)
    if base is None or not isinstance(base, str) or base not in _NAMED:
        raise ValueError(f"{BASE} must be one of {', '.join(_NAMED)}; got {base!r}")
    fields = {name: value for name, value in content.items() if name != BASE}
    for name in fields:
        _require_field(name)
    return replace(_NAMED[base], **fields)


def _parsed(change: str) -> tuple[str, Any]:
    name, equals, text = change.partition("=")
    name, text = name.strip(), text.strip()
    if not equals:
        raise ValueError(f"a change must be NAME=VALUE, such as epochs=20; got {change!r}")
    _require_field(name)
    default = FIELDS[name]
    if isinstance(default, str):
        return name, text
    if isinstance(default, bool):
        return name, _WORDS.get(text.lower(), text)  # the recipe refuses other words
    try:
        return name, int(text) if isinstance(default, int) else float(text)
    except ValueError:
        return name, text


def _require_field(name: str) -> None:
    if name not in FIELDS:
        raise ValueError(f"a recipe's field must be one of {', '.join(FIELDS)}; got {name!r}")
