"""The plan of a search, stored in its study so that the same command can continue it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.checked_fields import from_data
from relativenas_optuna._utils.files import file_name
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints.location import checked_place
from relativenas_optuna.objective.settings import FIELD_NAMES, SearchSettings, check_seed, preset
from relativenas_optuna.search.defaults import DEFAULT_OUT, RELATIVENAS
from relativenas_optuna.search.finals.settings import PRESET_FINALS, requested_finals
from relativenas_optuna.search.limits import SearchLimits
from relativenas_optuna.search.plan_changes import changes_of
from relativenas_optuna.search.plan_fields import PlanFields
from relativenas_optuna.search.request import SearchRequest, check_time
from relativenas_optuna.search.samplers import check_keeps_limits, least_population
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.registry import load_space
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import study_attribute
from relativenas_optuna.training.data.data_names import absolute_source

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.spaces.registry import RegisteredSpace

__all__ = ["PLAN_ATTRIBUTE", "SearchPlan", "SearchRequest"]

PLAN_ATTRIBUTE = "relative_nas:search"


@dataclass(frozen=True, kw_only=True)
class SearchPlan(PlanFields):
    """The plan of a search, which its study stores; its attributes are those of `PlanFields`."""

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
        data = absolute_source(request.data or "digits")
        name = request.preset or ("digits" if data == "digits" else "small")
        seed = 0 if request.seed is None else request.seed
        check_seed(seed)
        check_time(request)
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

        Args:
            request: Requested settings; None keeps the value of the plan.
            study_name: Name of the study, for the error message.

        Raises:
            SearchError: The study was started with another value.
        """
        return replace(self, **changes_of(self, request, study_name))


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
