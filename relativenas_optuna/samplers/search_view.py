"""SearchView: what a study's search has come to, for those who look on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.samplers.view_builder import look_at

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.view_records import GenerationView, MemberView


@dataclass(frozen=True, eq=False)
class SearchView:
    """What a study's search has come to: its settings, and all its generations.

    It is a snapshot, made from the study's trials alone. Nothing is written to the
    study, and no sampler is needed.

    Example:
        >>> import optuna
        >>> from relativenas_optuna import RelativeNASSampler, SearchView
        >>> study = optuna.create_study(sampler=RelativeNASSampler(population_size=4, seed=0))
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=10)
        >>> view = SearchView.of(study)
        >>> [generation.complete for generation in view.generations]
        [True, True, True, True, False]
        >>> view.generations[0].pairs[0].members
        (2, 0)

    Attributes:
        study: The study's name.
        directions: "minimize" or "maximize" for each objective.
        population_size: Members per generation.
        seed: Of the search.
        preset: "plain", "paper" or "random".
        warm_start: Numbers of the trials that the first seats start from; `None` where that was
            not asked for.
        search_space: Names and distributions of the parameters; `None` where it is learned.
        generations: In their order.
        extras: Numbers of the extra trials, which were asked for while no seat was free. They
            belong to no generation.
    """

    study: str
    directions: tuple[str, ...]
    population_size: int
    seed: int
    preset: str
    warm_start: tuple[int, ...] | None
    search_space: Mapping[str, BaseDistribution] | None
    generations: tuple[GenerationView, ...]
    extras: tuple[int, ...]

    derived: ClassVar = ("scored", "running", "failed", "doubles", "repeats")

    @classmethod
    def of(cls, study: optuna.Study) -> SearchView | None:
        """The view of a study; `None` where no trial of `RelativeNASSampler` is in it."""
        seen = look_at(study)
        if seen is None:
            return None
        begun = seen.settings
        return cls(
            study=study.study_name,
            directions=tuple(direction.name.lower() for direction in study.directions),
            population_size=begun.population_size,
            seed=begun.seed,
            preset=begun.preset,
            warm_start=begun.warm_start,
            search_space=None if begun.space is None else MappingProxyType(dict(begun.space)),
            generations=seen.generations,
            extras=seen.extras,
        )

    @property
    def scored(self) -> int:
        """How many seats have a score of their own, one that is not kept."""
        return self._count("state", "scored")

    @property
    def running(self) -> int:
        """At how many seats a worker is."""
        return self._count("state", "running")

    @property
    def failed(self) -> int:
        """How many seats count as slowest, since the objective failed there too often."""
        return self._count("state", "failed")

    @property
    def doubles(self) -> int:
        """How many seats have more than one complete trial."""
        return sum(member.complete > 1 for member in self._own())

    @property
    def repeats(self) -> int:
        """How many seats scored an architecture that an earlier seat of the search had scored."""
        return self._count("repeat", True)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data for JSON; see `plain_data.plain`."""
        data: dict[str, Any] = plain(self)
        return data

    def _own(self) -> list[MemberView]:
        return [m for generation in self.generations for m in generation.members if not m.kept]

    def _count(self, name: str, value: object) -> int:
        return sum(getattr(member, name) == value for member in self._own())
