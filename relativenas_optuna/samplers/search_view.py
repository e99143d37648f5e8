"""SearchView: a read-only view of the state of a study's search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from relativenas_optuna._utils.json_data import plain
from relativenas_optuna._utils.lazy import lazy_method
from relativenas_optuna._utils.text import number_of
from relativenas_optuna.samplers.view_builder import read_search

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.settings import PopulationSettings
    from relativenas_optuna.samplers.view_records import GenerationView, MemberView


@dataclass(frozen=True, eq=False)
class SearchView:
    """The state of a study's search at one moment: its settings and all its generations.

    It is read from the study's trials alone. Nothing is written to the study, and no sampler
    object is needed. A notebook shows the view as a table, with the cells of the best architecture
    of the newest generation if the objective is a `SupernetObjective`.

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
        sampler: Name of the class of the sampler that proposes the parameters.
        population_size: Members per generation.
        seed: Seed of the search.
        preset: "plain", "paper" or "random"; None for another sampler than RelativeNASSampler.
        warm_start: Numbers of the trials from which the first seats start; None without a warm
            start.
        search_space: Names and distributions of the parameters; None if it is learned.
        limits: Largest cost of an architecture by the name of the cost; empty without limits.
        generations: The generations in their order.
        extras: Numbers of the extra trials, which were asked for while no seat was free. They
            belong to no generation.
    """

    study: str
    directions: tuple[str, ...]
    sampler: str
    population_size: int
    seed: int
    preset: str | None
    warm_start: tuple[int, ...] | None
    search_space: Mapping[str, BaseDistribution] | None
    limits: Mapping[str, float]
    generations: tuple[GenerationView, ...]
    extras: tuple[int, ...]
    _best: FrozenTrial | None

    derived: ClassVar = ("scored", "running", "failed", "doubles", "repeats")

    _repr_html_ = lazy_method("visualization._notebook", "search_view_html")

    @classmethod
    def of(cls, study: optuna.Study) -> SearchView | None:
        """Return the view of a study; None if no population sampler started a search in it."""
        record = read_search(study)
        if record is None:
            return None
        settings, stored = record.population.settings, record.population.settings.to_json()
        warm_start = stored.get("warm_start")
        return cls(
            study=study.study_name,
            directions=tuple(direction.name.lower() for direction in study.directions),
            sampler=record.population.sampler_name,
            population_size=settings.population_size,
            seed=settings.seed,
            preset=stored.get("preset"),
            warm_start=None if warm_start is None else tuple(warm_start),
            search_space=None if settings.space is None else MappingProxyType(dict(settings.space)),
            limits=MappingProxyType(_limits(settings)),
            generations=record.generations,
            extras=record.extras,
            _best=record.best,
        )

    @property
    def scored(self) -> int:
        """Number of seats with a score of their own, not one that a fast learner kept."""
        return self._count("state", "scored")

    @property
    def running(self) -> int:
        """Number of seats that a worker scores now."""
        return self._count("state", "running")

    @property
    def failed(self) -> int:
        """Number of seats that count as worst, since the objective failed there too often."""
        return self._count("state", "failed")

    @property
    def doubles(self) -> int:
        """Number of seats with more than one complete trial."""
        return sum(member.complete > 1 for member in self._own())

    @property
    def repeats(self) -> int:
        """Number of seats that scored an architecture which an earlier seat had scored."""
        return self._count("repeat", True)

    def __repr__(self) -> str:
        # One line: the whole content takes pages, and `to_dict` returns it.
        return (
            f"<SearchView of study {self.study!r}: {self.sampler}, "
            f"{number_of(len(self.generations), 'generation')} of {self.population_size} members, "
            f"{self.scored} scored, {self.running} running, {self.failed} failed>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the view as JSON data; see `json_data.plain`."""
        data: dict[str, Any] = plain(self)
        return data

    def _own(self) -> list[MemberView]:
        return [m for generation in self.generations for m in generation.members if not m.kept]

    def _count(self, name: str, value: object) -> int:
        return sum(getattr(member, name) == value for member in self._own())


def _limits(settings: PopulationSettings) -> dict[str, float]:
    if settings.limits is None:
        return {}
    return {name: limit.at_most for name, limit in settings.limits.by_name.items()}
