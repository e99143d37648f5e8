"""The plan of a search, stored in its study so that the same command can continue it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from relativenas_optuna._utils.checked_fields import Range, from_data
from relativenas_optuna._utils.files import file_name
from relativenas_optuna._utils.limits import MAX_SEED, MOST
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints.location import checked_place
from relativenas_optuna.objective.settings import FIELD_NAMES, SearchSettings, check_seed, preset
from relativenas_optuna.search.defaults import DATA_NAMES, DEFAULT_OUT, RELATIVENAS
from relativenas_optuna.search.samplers import least_population, sampler_named
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.registry import load_space
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import study_attribute

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.spaces.registry import RegisteredSpace


PLAN_ATTRIBUTE = "relative_nas:search"
Side = Annotated[int, Range(1, MOST["size"])]
Seed = Annotated[int, Range(0, MAX_SEED)]


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """Settings that a caller asks for; missing ones come from the study, then from the preset.

    Attributes:
        data: "digits" (the default), "cifar10", "cifar100", or a folder of images per class.
        size: Side in pixels that images are resized to; None to keep their size.
        preset: Preset of the settings; the default is "digits" for the digits, otherwise "small".
        seed: Seed of all random numbers, 0 to 2**32 - 1; the default is 0.
        out: Folder for results, and for the weights unless `weights` is given.
        weights: Folder or bucket for the weights; see `weights_place`.
        sampler: Sampler that proposes the candidates: "relativenas" (the default), "migo",
            "random", or MODULE:CLASS of a sampler of Optuna; see `sampler_named`.
        space: Name of the search space, "cells" (the default), "nasbench201" or MODULE:ATTRIBUTE
            of a user's own; see `register_space`.
        settings: Settings by name that replace those of the preset.
    """

    data: str | None = None
    size: Side | None = None
    preset: str | None = None
    seed: Seed | None = None
    out: str | None = None
    weights: str | None = None
    sampler: str | None = None
    space: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """The settings of a search, without gaps; see `SearchRequest` for attributes not listed here.

    Attributes:
        search: Random id of the search, which is also stored with its weights.
        settings: Settings of the supernet, the training and the population.
        sampler: Name of the sampler. "random" is the baseline of "relativenas": every candidate is
            drawn at random, and no slow learner moves toward a fast one. All else is the same,
            including the commit of pairs.
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
    def finalists_of(self) -> str:
        """The group of candidates that finalists are chosen from, as words for a message.

        Only the generations of "relativenas" improve as a whole, so the finalists of other samplers
        come from all candidates.
        """
        return "the last generation" if self.sampler == RELATIVENAS else "all candidates"

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
        space = load_space(CELLS if request.space is None else request.space)
        sampler = RELATIVENAS if request.sampler is None else request.sampler
        plan = cls(
            search=uuid.uuid4().hex,
            data=data,
            size=request.size,
            preset=name,
            settings=_settings(request, preset(name), sampler, space),
            seed=seed,
            out=str(Path(request.out or Path(DEFAULT_OUT, file_name(study.study_name))).absolute()),
            weights=None if request.weights is None else checked_place(request.weights),
            sampler=sampler,
            space=space.name,
        )
        plan.new_sampler(plan.search_space)  # raises if the sampler cannot be used
        return plan

    def new_sampler(self, space: Space[Any]) -> PopulationSampler:
        """Return a sampler for this search.

        Args:
            space: The search space, `search_space`.

        Raises:
            SearchError: The sampler is not found, or cannot search this space.
        """
        return sampler_named(
            self.sampler,
            space.distributions,
            population=self.settings.population,
            generations=self.settings.generations,
            seed=self.seed,
        )

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

        These are the number of generations, the folders of data and results, and the place of the
        weights.

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
        changes: dict[str, Any] = {} if moved is None else {"data": moved}
        if generations is not None:
            changes["settings"] = replace(self.settings, generations=generations)
        if request.out is not None:
            changes["out"] = str(Path(request.out).absolute())
        if request.weights is not None:
            changes["weights"] = checked_place(request.weights)
        return replace(self, **changes)


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
