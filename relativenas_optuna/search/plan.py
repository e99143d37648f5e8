"""The plan of a search, stored in its study so that the same command can continue it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from relativenas_optuna._utils.checked_fields import Range, check_value, from_data
from relativenas_optuna._utils.files import file_name
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints.location import checked_place
from relativenas_optuna.objective.settings import FIELD_NAMES, SearchSettings, check_seed, preset
from relativenas_optuna.search.budget import Budget, Speed, shown
from relativenas_optuna.search.defaults import DATA_NAMES, DEFAULT_OUT, RELATIVENAS
from relativenas_optuna.search.finals.settings import (
    PRESET_FINALS,
    FinalsSettings,
    requested_finals,
)
from relativenas_optuna.search.limits import SearchLimits, check_same_limits
from relativenas_optuna.search.request import SearchRequest, Seed, Side
from relativenas_optuna.search.samplers import (
    check_keeps_limits,
    least_population,
    sampler_named,
)
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.registry import load_space
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import study_attribute

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.spaces.descriptors import DescriptorFunction
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.spaces.registry import RegisteredSpace
    from relativenas_optuna.training.data.images import Images

__all__ = ["PLAN_ATTRIBUTE", "SearchPlan", "SearchRequest"]

PLAN_ATTRIBUTE = "relative_nas:search"


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """The settings of a search, without gaps; see `SearchRequest` for attributes not listed here.

    Attributes:
        search: Random id of the search, which is also stored with its weights.
        settings: Settings of the supernet, the training and the population.
        sampler: Name of the sampler. "random" is the baseline of "relativenas": every candidate is
            drawn at random, and no slow learner moves toward a fast one. All else is the same,
            including the commit of pairs.
        limits: Limits that every candidate keeps; None without limits.
        finals: Settings of the finals; None for a winner by the shared score alone.
        time: Seconds that the whole search takes; None for no budget.
        speed: Speed that the generations and epochs of `settings` were planned with; None without
            `time`, and before it was measured. The passes of the finals are planned when they
            begin, from the time that is left then.
        images: Number of images that are used, of each class the same share; None for all. A short
            `time` reduces it.
        keeps_shortlist: True if the length of the shortlist was asked for, so that `time` does not
            change it.
    """

    search: str
    data: str
    size: Side | None
    preset: str
    settings: SearchSettings
    seed: Seed
    out: str
    weights: str | None = None
    sampler: str = RELATIVENAS
    space: str = CELLS
    limits: SearchLimits | None = None
    finals: FinalsSettings | None = None
    time: Annotated[float, Range(1)] | None = None
    speed: Speed | None = None
    images: Annotated[int, Range(2)] | None = None
    keeps_shortlist: bool = False

    @property
    def place(self) -> str:
        """Folder or bucket of the weights."""
        return self.out if self.weights is None else self.weights

    @property
    def search_space(self) -> Space[Any]:
        """The search space; this imports the module of a custom space.

        Raises:
            SpaceError: The space is not found.
        """
        return load_space(self.space).space(self.settings.nodes)

    @property
    def nodes(self) -> int:
        """Number of nodes in a cell of the space "cells"."""
        return self.settings.nodes

    @property
    def training_passes(self) -> int:
        """Number of passes over the training images that take about as long as the search."""
        candidates = self.settings.population * self.settings.generations
        if not self.scores_compare:
            return candidates
        # Half of the candidates are scored, for fast learners keep their scores. To calibrate and
        # score one takes half a pass.
        return self.settings.uniform_epochs + candidates // 4

    @property
    def finalists_of(self) -> str:
        """The group of candidates that finalists are chosen from, as words for a message.

        Only the generations of "relativenas" improve as a whole, so the finalists of other samplers
        come from all candidates. So do those of scores that compare.
        """
        return "all candidates" if self._counts_all_generations else "the last generation"

    @property
    def first_generation(self) -> int:
        """The first generation that finalists are chosen from; see `finalists_of`."""
        return 0 if self._counts_all_generations else self.settings.generations - 1

    @property
    def _counts_all_generations(self) -> bool:
        return self.scores_compare or self.sampler != RELATIVENAS

    @property
    def scores_compare(self) -> bool:
        """True if all scores of the search are from the same weights."""
        return self.settings.uniform_epochs > 0

    def budget(self, speed: Speed) -> Budget:
        """Return the planner of this search at a speed."""
        return Budget(
            settings=self.settings,
            finals=self.finals,
            speed=speed,
            keeps_scores=self.scores_compare and self.sampler == RELATIVENAS,
        )

    @classmethod
    def of(cls, study: optuna.Study, request: SearchRequest) -> SearchPlan:
        """Return the plan stored in a study, changed as requested, or a new plan.

        Args:
            study: The study; nothing is written to it.
            request: Requested settings; None takes the stored or the default value.

        Raises:
            SearchError: The study was started with another value.
            ValueError: A value is out of range, or the space is not found.
        """
        unknown = sorted(set(request.settings) - set(FIELD_NAMES))
        if unknown:
            raise SearchError(f"setting {unknown[0]!r} must be one of {', '.join(FIELD_NAMES)}")
        stored = cls.stored_in(study)
        if stored is None:
            return cls._new(study, request)
        return stored.for_request(request, study.study_name)

    @classmethod
    def stored_in(cls, study: optuna.Study) -> SearchPlan | None:
        """Return the plan stored in a study, None if there is none.

        Raises:
            SearchError: The study's attribute is not what `store` writes.
        """
        try:
            stored = study_attribute(study, PLAN_ATTRIBUTE)
        except ValueError as error:
            raise _unreadable(study.study_name, error) from error
        return None if stored is None else cls.read(stored, study.study_name)

    def store(self, study: optuna.Study) -> None:
        """Store the plan in a user attribute of the study.

        Raises:
            SearchError: Another search of the study started at the same moment, or the study was
                deleted.
        """
        from relativenas_optuna.storages.study_attributes import agreed

        data = asdict(self)
        try:
            found = agreed(study, PLAN_ATTRIBUTE, data)
        except KeyError as error:
            raise SearchError(
                f"study {study.study_name!r} was deleted meanwhile: give the same command again"
            ) from error
        if not isinstance(found, dict) or found.get("search") != self.search:
            raise SearchError(
                f"study {study.study_name!r} was started by another search at the same moment: "
                f"give the same command again, or help it by `relativenas worker`"
            )
        if found != data:
            study.set_user_attr(PLAN_ATTRIBUTE, data)

    @classmethod
    def _new(cls, study: optuna.Study, request: SearchRequest) -> SearchPlan:
        data = _data(request.data or "digits")
        name = request.preset or ("digits" if data == "digits" else "small")
        seed = 0 if request.seed is None else request.seed
        check_seed(seed)
        _check_time(request)
        space = load_space(CELLS if request.space is None else request.space)
        sampler = RELATIVENAS if request.sampler is None else request.sampler
        settings = _settings(request, preset(name), sampler, space)
        limits = SearchLimits.of(request.limits, space, settings.nodes)
        if limits is not None:
            check_keeps_limits(sampler)
        plan = cls(
            search=uuid.uuid4().hex,
            data=data,
            size=request.size,
            preset=name,
            settings=settings,
            seed=seed,
            out=str(Path(request.out or Path(DEFAULT_OUT, file_name(study.study_name))).absolute()),
            weights=None if request.weights is None else checked_place(request.weights),
            sampler=sampler,
            space=space.name,
            limits=limits,
            finals=requested_finals(name, PRESET_FINALS[name], request.finals, request.target),
            time=request.time,
            keeps_shortlist=request.finals is not None,
        )
        plan.new_sampler(plan.search_space)  # raises if the sampler cannot be used
        return plan

    def new_sampler(
        self, space: Space[Any], descriptors: DescriptorFunction | None = None
    ) -> PopulationSampler:
        """Return a sampler for this search.

        Args:
            space: The search space, `search_space`.
            descriptors: Descriptors of architectures, see `sampler_named`; None for none.

        Raises:
            SearchError: The sampler is not found, or cannot search this space.
        """
        return sampler_named(
            self.sampler,
            space.distributions,
            population=self.settings.population,
            generations=self.settings.generations,
            seed=self.seed,
            limits=None if self.limits is None else self.limits.by_name(self.space, self.nodes),
            scores_compare=self.scores_compare,
            descriptors=descriptors,
        )

    def for_images(self, images: Images) -> SearchPlan:
        """Return this plan with limits for the size and classes of its images.

        Raises:
            SearchError: The latency table is of images of another size.
        """
        if self.limits is None:
            return self
        return replace(self, limits=self.limits.for_images(images.shape, len(images.classes)))

    def _with_time(self, seconds: float, study_name: str) -> dict[str, Any]:
        """Return the changes by which this plan gets more time."""
        if self.time is None or self.speed is None:
            raise SearchError(
                f"time {shown(seconds)} does not fit study {study_name!r}, which was started "
                f"without one: leave it out to go on, give --generations to extend the search, or "
                f"take another --study"
            )
        if seconds < self.time:
            raise SearchError(
                f"time must be at least {shown(self.time)}, with which study {study_name!r} was "
                f"started; got {shown(seconds)}: leave it out to go on, or take another --study"
            )
        more = self.budget(self.speed).more_generations(seconds - self.time)
        longer = replace(self.settings, generations=self.settings.generations + more)
        return {"time": seconds, "settings": longer}

    @classmethod
    def read(cls, stored: Any, study_name: str) -> SearchPlan:
        """Return the plan from the value of a study's attribute.

        Args:
            stored: Value of the attribute.
            study_name: Name of the study, for the error message.

        Raises:
            SearchError: The attribute is not what `store` writes.
        """
        try:
            plan = from_data(cls, stored)
            if plan.weights is not None:
                checked_place(plan.weights)
        except UNREADABLE as error:
            raise _unreadable(study_name, error) from error
        return plan

    def for_request(self, request: SearchRequest, study_name: str) -> SearchPlan:
        """Return this plan with the requested changes that a started study allows.

        These are the number of generations, the finals, the folders of data and results, and the
        place of the weights. More time adds generations, and a number of generations ends the
        budget of time.

        Args:
            request: Requested settings; None keeps the value of the plan.
            study_name: Name of the study, for the error message.

        Raises:
            SearchError: The study was started with another value.
        """
        data = None if request.data is None else _data(request.data)
        # The same folder may have another path now; `Search` compares the images in it.
        moved = data if {data, self.data}.isdisjoint((None, *DATA_NAMES)) else None
        asked = {
            "data": None if moved else data,
            "size": request.size,
            "preset": request.preset,
            "seed": request.seed,
            "sampler": request.sampler,
            "space": request.space,
            **request.settings,
        }
        generations = asked.pop("generations", None)
        begun = asdict(self) | asdict(self.settings)
        for name, value in asked.items():
            if value is not None and value != begun[name]:
                raise SearchError(
                    f"{name} {value!r} does not fit study {study_name!r}, which was started with "
                    f"{begun[name]!r}: leave it out to go on, or take another --study"
                )
        check_same_limits(request.limits, self.limits, study_name)
        _check_time(request)
        changes: dict[str, Any] = {} if moved is None else {"data": moved}
        if generations is not None:
            changes["settings"] = replace(self.settings, generations=generations)
            if generations != self.settings.generations:
                changes |= {"time": None, "speed": None}
        if request.time not in (None, self.time):
            changes |= self._with_time(request.time, study_name)
        if request.out is not None:
            changes["out"] = str(Path(request.out).absolute())
        if request.weights is not None:
            changes["weights"] = checked_place(request.weights)
        changes["finals"] = requested_finals(
            self.preset, self.finals, request.finals, request.target
        )
        return replace(self, **changes)


def _check_time(request: SearchRequest) -> None:
    if request.time is None:
        return
    check_value("time", Annotated[float, Range(1)], request.time)
    if request.settings.get("generations") is not None:
        raise SearchError(
            f"generations must be left out with a time, which plans them; got "
            f"{request.settings['generations']!r}"
        )


def _settings(
    request: SearchRequest, defaults: SearchSettings, sampler: str, space: RegisteredSpace
) -> SearchSettings:
    """Return the settings of a new search; the default population is as large as is needed."""
    settings = replace(defaults, **request.settings)
    if "population" in request.settings:
        return settings
    least = least_population(sampler, space.space(settings.nodes).distributions)
    return replace(settings, population=max(settings.population, least))


def _unreadable(study_name: str, error: Exception) -> SearchError:
    return SearchError(
        f"study {study_name!r} has an unreadable attribute {PLAN_ATTRIBUTE!r} ({error}): take "
        f"another --study"
    )


def _data(source: str) -> str:
    """Return the name of a data set, or the absolute path of a folder."""
    return source if source in DATA_NAMES else str(Path(source).absolute())
