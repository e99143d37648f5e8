"""The changes that a request makes to the plan of a started search."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.durations import short_time
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints.location import checked_place
from relativenas_optuna.search.finals.settings import requested_finals
from relativenas_optuna.search.limits import check_same_limits
from relativenas_optuna.search.request import check_time
from relativenas_optuna.training.data.data_names import absolute_source, has_path

if TYPE_CHECKING:
    from relativenas_optuna.search.plan_fields import PlanFields
    from relativenas_optuna.search.request import SearchRequest


def changes_of(plan: PlanFields, request: SearchRequest, study_name: str) -> dict[str, Any]:
    """Return the requested changes of a plan that a started study allows, by the field's name.

    These are the number of generations, the finals, the folders of data and results, and the
    place of the weights. More time adds generations, and a number of generations ends the
    budget of time.

    Args:
        plan: Plan of the started study.
        request: Requested settings; None keeps the value of the plan.
        study_name: Name of the study, for the error message.

    Raises:
        SearchError: The study was started with another value.
    """
    data = None if request.data is None else absolute_source(request.data)
    # The same files may have another path now; `Search` compares the images in them.
    moved = data if data is not None and has_path(data) and has_path(plan.data) else None
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
    begun = asdict(plan) | asdict(plan.settings)
    for name, value in asked.items():
        if value is not None and value != begun[name]:
            raise SearchError(
                f"{name} {value!r} does not fit study {study_name!r}, which was started with "
                f"{begun[name]!r}: leave it out to go on, or take another --study"
            )
    check_same_limits(request.limits, plan.limits, study_name)
    check_time(request)
    changes: dict[str, Any] = {} if moved is None else {"data": moved}
    if generations is not None:
        changes["settings"] = replace(plan.settings, generations=generations)
        if generations != plan.settings.generations:
            changes |= {"time": None, "speed": None}
    if request.time not in (None, plan.time):
        changes |= _changes_by_time(plan, request.time, study_name)
    if request.out is not None:
        changes["out"] = str(Path(request.out).absolute())
    if request.weights is not None:
        changes["weights"] = checked_place(request.weights)
    changes["finals"] = requested_finals(plan.preset, plan.finals, request.finals, request.target)
    return changes


def _changes_by_time(plan: PlanFields, seconds: float, study_name: str) -> dict[str, Any]:
    """Return the changes by which a plan gets more time."""
    if plan.time is None or plan.speed is None:
        raise SearchError(
            f"time {short_time(seconds)} does not fit study {study_name!r}, which was started "
            f"without one: leave it out to go on, give --generations to extend the search, or "
            f"take another --study"
        )
    if seconds < plan.time:
        raise SearchError(
            f"time must be at least {short_time(plan.time)}, the present time of study "
            f"{study_name!r}; got {short_time(seconds)}: leave it out to go on, or take another "
            f"--study"
        )
    more = plan.budget(plan.speed).more_generations(seconds - plan.time)
    longer = replace(plan.settings, generations=plan.settings.generations + more)
    return {"time": seconds, "settings": longer}
