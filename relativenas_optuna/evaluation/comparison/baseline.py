"""Plan a random search with shared weights, to compare a search with.

The random search has the supernet, settings, images, seed, number of candidates and learning rates
of the search; only its candidates are drawn at random. Its candidates form pairs too: both start
from the same weights and are committed together. If each were committed alone, the weights would
take twice as many steps, and the comparison would be one of commits. Its generations do not build
on each other, so its finalists are the best of all candidates instead of the last generation. They
are as many as those of the search, and are scored again in the same way.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.defaults import RANDOM
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.time_used import without_time
from relativenas_optuna.training.data.data_names import has_path

if TYPE_CHECKING:
    import optuna


SUFFIX = "-random"
_CONDITIONS = ("sampler", "data", "size", "seed", "space", "limits")


def baseline_name(study: str) -> str:
    """Return the name of the study of the random search for a study."""
    return f"{study}{SUFFIX}"


def baseline_plan(study: optuna.Study, plan: SearchPlan, baseline: optuna.Study) -> SearchPlan:
    """Return the plan of a study's random search, which may be new or started.

    Args:
        study: Study of the search, which must be finished.
        plan: Plan of the search.
        baseline: Study of the random search.

    Raises:
        SearchError: The search is a random search itself or is not finished, or the other study
            was made under other conditions.
    """
    name, other = study.study_name, baseline.study_name
    if plan.sampler == RANDOM:
        raise SearchError(
            f"study {name!r} is a random search itself: name the study of the search, or leave the "
            f"random search out by --no-baseline"
        )
    choice = Choice.stored_in(study)
    if choice is None or not choice.is_of(plan):
        raise SearchError(
            f"the search of study {name!r} is not finished, and a random search would have more "
            f"candidates: continue it by `relativenas search`, or leave the random search out by "
            f"--no-baseline"
        )
    plan = without_time(study, plan)
    stored = SearchPlan.stored_in(baseline)
    if stored is None:
        if baseline.get_trials(deepcopy=False):
            raise _unfit(f"study {other!r} has trials, but not of a search", other)
        return replace(
            plan, search=uuid4().hex, sampler=RANDOM, out=f"{plan.out}{SUFFIX}", weights=None
        )
    if has_path(plan.data) and has_path(stored.data):  # `Search` compares the images
        stored = replace(stored, data=plan.data)
    ours, theirs = _conditions(replace(plan, sampler=RANDOM)), _conditions(stored)
    for condition, value in ours.items():
        there = theirs[condition]
        # A random search with fewer generations continues, as the search itself may have done.
        if there != value and not (condition == "generations" and there < value):
            raise _unfit(
                f"study {other!r} has {condition} {there!r}, but a random search for study "
                f"{name!r} needs {value!r}",
                other,
            )
    return replace(stored, settings=plan.settings, finals=plan.finals)


def _conditions(plan: SearchPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in _CONDITIONS} | asdict(plan.settings)


def _unfit(reason: str, name: str) -> SearchError:
    return SearchError(
        f"{reason}: delete study {name!r} by `optuna delete-study`, or leave the random search out "
        f"by --no-baseline"
    )
