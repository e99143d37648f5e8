"""A TOML file that describes a reproducible study: its search and the figures to reach."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.checked_fields import Share, check_fields, check_value
from relativenas_optuna._utils.durations import seconds_in
from relativenas_optuna._utils.files import decoded
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.settings import FIELD_NAMES, preset
from relativenas_optuna.search.limits import LimitRequest
from relativenas_optuna.search.request import SearchRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from relativenas_optuna.search.choice import Choice

_SEARCH_KEYS = (
    *("data", "size", "space", "sampler", "preset", "seed", "out", "weights"),
    *("finals", "target", "time"),
)
_FIGURES = ("accuracy", "accuracy_over_random", "standalone_accuracy")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that a study must reach.

    Attributes:
        name: "accuracy", "accuracy_over_random" or "standalone_accuracy"; see `StudyFile`.
        least: Smallest accepted value, 0 to 1.
        value: Value that the study reached, -1 to 1.
    """

    name: str
    least: float
    value: float

    @property
    def reached(self) -> bool:
        """True if the value is at least `least`."""
        return self.value >= self.least


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """The content of a study file.

    Attributes:
        study: Name of the study.
        request: Settings of the search; a relative data folder starts at the current folder.
        reach: Smallest accepted value of each figure, 0 to 1. "accuracy" is the accuracy of the
            winner with the final shared weights. "accuracy_over_random" is that accuracy minus the
            median accuracy of random architectures with the same weights. "standalone_accuracy" is
            the accuracy of the winner after its last training in the finals, 0 without finals.
    """

    study: str
    request: SearchRequest
    reach: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> StudyFile:
        """Read a study file: an entry `study`, tables `search`, `settings`, `limits`, `reach`.

        Raises:
            SearchError: The file is not TOML, or has an unknown or wrong entry. The message names
                the entry.
            OSError: The file cannot be read.
        """
        try:
            content = tomllib.loads(decoded(path.read_bytes()))
        except (ValueError, RecursionError) as error:
            raise SearchError(f"{str(path)!r} is not a TOML file: {error}") from error
        try:
            return cls._from_content(content)
        except ValueError as error:
            raise SearchError(f"study file {str(path)!r}: {error}") from error

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> StudyFile:
        tables = {name: _table(content, name) for name in ("search", "settings", "limits", "reach")}
        search, settings, limits, reach = tables.values()
        _known("entry", content, ("study", *tables))
        _known("entry of [search]", search, _SEARCH_KEYS)
        if isinstance(search.get("time"), str):
            search["time"] = seconds_in(search["time"])
        _known("entry of [settings]", settings, FIELD_NAMES)
        _known("entry of [limits]", limits, [one.name for one in fields(LimitRequest)])
        _known("entry of [reach]", reach, _FIGURES)
        study = content.get("study")
        if not isinstance(study, str) or not study.strip():
            raise SearchError(f"study must be the study's name; got {study!r}")
        request = SearchRequest(**search, settings=settings, limits=LimitRequest(**limits))
        check_fields(request)
        for name, least in reach.items():
            check_value(name, Share, least)
        # Check the settings with any preset: all presets accept the same ones.
        replace(preset(search.get("preset", "small")), **settings)
        return cls(study=study, request=request, reach=reach)

    def check(self, choice: Choice) -> list[Figure]:
        """Return the figures to reach, with the values that the search reached.

        Args:
            choice: Result of the search.
        """
        accuracy = choice.winner.accuracy
        values = {
            "accuracy": accuracy,
            "accuracy_over_random": accuracy - choice.random_accuracy,
            "standalone_accuracy": choice.winner.ranked.standalone or 0.0,
        }
        return [Figure(name=n, least=least, value=values[n]) for n, least in self.reach.items()]


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise SearchError(f"{name} must be a table, [{name}]; got {table!r}")
    return table


def _known(what: str, table: Iterable[str], names: Iterable[str]) -> None:
    for name in table:
        if name not in names:
            raise SearchError(f"{what} must be one of {', '.join(names)}; got {name!r}")
