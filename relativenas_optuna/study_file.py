"""A reproducible study as a TOML file: what to search, and what it must reach."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna.plan import SearchError, Wishes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from relativenas_optuna.choice import Choice

_SEARCH_KEYS = {"data": str, "size": int, "preset": str, "seed": int, "out": str}
_FIGURES = ("accuracy", "accuracy_over_random")


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """A study to run.

    Attributes:
        study: Its name.
        wishes: What to search; a folder of data is relative to the current folder.
        reach: The least that each figure must be: "accuracy" of the winner with the final shared
            weights, and "accuracy_over_random", how far that is over the median of random
            architectures with the same weights; both shares of 1.
    """

    study: str
    wishes: Wishes
    reach: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> StudyFile:
        """Read a file with the tables `search`, `settings` and `reach`.

        Raises:
            SearchError: It is not TOML, or has an unknown or a wrong entry; the message names it.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SearchError(f"{str(path)!r} is not a TOML file: {error}") from error
        tables = {name: _table(content, name, path) for name in ("search", "settings", "reach")}
        _known(content, ("study", *tables), path)
        _known(tables["search"], _SEARCH_KEYS, path)
        _known(tables["reach"], _FIGURES, path)
        study = content.get("study")
        if not isinstance(study, str) or not study:
            raise SearchError(f"study in {str(path)!r} must be a name; got {study!r}")
        for name, kind in _SEARCH_KEYS.items():
            value = tables["search"].get(name)
            if value is not None and type(value) is not kind:
                raise SearchError(f"{name} in {str(path)!r} must be {kind.__name__}; got {value!r}")
        for name, least in tables["reach"].items():
            if isinstance(least, bool) or not isinstance(least, int | float):
                raise SearchError(f"{name} in {str(path)!r} must be a number; got {least!r}")
        wishes = Wishes(**tables["search"], settings=tables["settings"])
        return cls(study=study, wishes=wishes, reach=tables["reach"])

    def check(self, choice: Choice) -> list[tuple[str, float, float]]:
        """Per figure to reach its name, the least it must be, and what it is."""
        figures = {
            "accuracy": choice.winner.accuracy,
            "accuracy_over_random": choice.winner.accuracy - choice.random_accuracy,
        }
        return [(name, least, figures[name]) for name, least in self.reach.items()]


def _table(content: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise SearchError(f"{name} in {str(path)!r} must be a table; got {table!r}")
    return table


def _known(table: dict[str, Any], names: Any, path: Path) -> None:
    for name in table:
        if name not in names:
            raise SearchError(f"{name!r} in {str(path)!r} must be one of {', '.join(names)}")
