"""Random search with shared weights, as a study beside the one that it is compared with.

It is what a sceptic asks for: the same supernet, settings, images, seed, number of candidates and
learning rates, and candidates that are drawn at random. They sit in pairs too, of which both begin
with the same weights and are committed together: if each committed its own, the weights would take
twice as many steps one after the other, and the comparison would be one of commits. As no
generation is the outcome of those before, the finalists are the best of all candidates, not of the
last generation; they are as many, and scored again in the same way.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.plan import DATA_NAMES, SearchPlan

if TYPE_CHECKING:
    import optuna


SUFFIX = "-random"
_CONDITIONS = ("random", "data", "size", "seed")


def baseline_name(study: str) -> str:
    """The name of the study that is a study's random search."""
    return f"{study}{SUFFIX}"


def baseline_plan(study: optuna.Study, plan: SearchPlan, baseline: optuna.Study) -> SearchPlan:
    """The plan of a study's random search, begun before or not.

    Args:
        study: That was searched.
        plan: Of its search.
        baseline: The study of the random search.

    Raises:
        SearchError: The search is none that a random search can be compared with, or is not over;
            or the other study is none under its conditions.
    """
    name, other = study.study_name, baseline.study_name
    if plan.random:
        raise SearchError(
            f"study {name!r} is a random search itself: name the study that it is to be compared "
            f"with, or leave the random search out by --no-baseline"
        )
    choice = Choice.stored_in(study)
    if choice is None or choice.generations < plan.settings.generations:
        raise SearchError(
            f"study {name!r} is not searched to the end, so that a random search would have more "
            f"candidates: go on with it by `relativenas search`, or leave the random search out by "
            f"--no-baseline"
        )
    stored = SearchPlan.stored_in(baseline)
    if stored is None:
        if baseline.get_trials(deepcopy=False):
            raise _unfit(f"study {other!r} has trials, but none of a search", other)
        return replace(
            plan, search=uuid4().hex, random=True, out=f"{plan.out}{SUFFIX}", weights=None
        )
    moved = {plan.data, stored.data}.isdisjoint(DATA_NAMES)  # `Search` compares the images
    if moved:
        stored = replace(stored, data=plan.data)
    ours, theirs = _conditions(replace(plan, random=True)), _conditions(stored)
    for condition, value in ours.items():
        there = theirs[condition]
        # What was begun with fewer generations goes on, as the search itself may have done.
        if there != value and not (condition == "generations" and there < value):
            raise _unfit(
                f"study {other!r} has {condition} {there!r}, and a random search for study "
                f"{name!r} has {value!r}",
                other,
            )
    return replace(stored, settings=plan.settings)


def _conditions(plan: SearchPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in _CONDITIONS} | asdict(plan.settings)


def _unfit(reason: str, name: str) -> SearchError:
    return SearchError(
        f"{reason}: delete study {name!r} by `optuna delete-study`, or leave the random search out "
        f"by --no-baseline"
    )
