"""Set up the search of a study: its sampler, its images, its plan of time and its objective."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.search.continuation import check_places, checkpoint_of, newest_seat
from relativenas_optuna.search.custom_space import check_random_architecture, supernet_builder
from relativenas_optuna.search.defaults import RELATIVENAS
from relativenas_optuna.search.known_costs import descriptors_of
from relativenas_optuna.search.memory import check_search_memory
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.random_architectures import uniform_paths
from relativenas_optuna.search.samplers import check_same_sampler
from relativenas_optuna.search.speed import has_networks
from relativenas_optuna.search.time_plan import images_in_time, planned
from relativenas_optuna.spaces.registry import load_space
from relativenas_optuna.training.data.load import load_images
from relativenas_optuna.training.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.search.budget import TimePlan
    from relativenas_optuna.training.data.image_set import ImageSet


@dataclass(frozen=True, kw_only=True)
class SearchSetup:
    """The parts of a search that is ready to run.

    Attributes:
        plan: Plan of the search, for its images and without impossible finals.
        sampler: Sampler of the search, which is that of its study.
        objective: Objective that trains and scores the candidates.
        lacks_finals: True if finals were planned, but the space has no stand-alone networks.
        time_plan: What the search does in its time; None without a plan of the time.
    """

    plan: SearchPlan
    sampler: PopulationSampler
    objective: SupernetObjective[Any]
    lacks_finals: bool
    time_plan: TimePlan | None


def set_up(
    study: optuna.Study,
    plan: SearchPlan,
    *,
    device: str | None,
    leads: bool,
    images: ImageSet | None,
    begun: float,
    before_measuring: Callable[[SupernetObjective[Any]], object],
    workers: int,
    time_plan: TimePlan | None,
) -> SearchSetup:
    """Check the study of a search, and return the parts of the search.

    The study gets the sampler, and if this process leads the search also the plan. The speed is
    measured if the plan has a time and no speed. For the arguments and the errors see `Search`.
    """
    stored = SearchPlan.stored_in(study) is not None
    newest = newest_seat(study, plan)
    registered = load_space(plan.space)
    space = registered.space(plan.settings.nodes)
    if not registered.built_in:
        check_random_architecture(plan.space, space)
    sampler = study.sampler = plan.new_sampler(space)
    check_same_sampler(study, sampler, plan.sampler)
    check_places(study, plan, stored=stored, leads=leads)
    checkpoint = checkpoint_of(study, plan, has_scores=newest is not None, leads=leads)
    if images is None:
        images = images_of_plan(plan)
    if plan.limits is not None:
        plan = plan.for_images(images)
        sampler = study.sampler = plan.new_sampler(space)
    if resolve_device(device).type == "cpu":
        check_search_memory(
            plan.settings, images=len(images), input_size=images.shape, space=registered
        )
    if plan.time is not None and plan.speed is None:
        measured = _objective(plan, images, device)
        before_measuring(measured)
        used = time.monotonic() - begun
        time_plan, plan = planned(plan, measured, images, used=used, workers=workers)
        sampler = study.sampler = plan.new_sampler(space)
        del measured
    images = images_in_time(plan, images)
    objective = _objective(plan, images, device, checkpoint)
    if plan.scores_compare and plan.sampler == RELATIVENAS:
        sampler = study.sampler = plan.new_sampler(space, descriptors_of(objective))
    lacks_finals = plan.finals is not None and not has_networks(plan, objective)
    if lacks_finals:
        plan = replace(plan, finals=None)
    objective.check_images(study)  # before the plan of a started study changes
    if leads:
        plan.store(study)
    return SearchSetup(
        plan=plan,
        sampler=sampler,
        objective=objective,
        lacks_finals=lacks_finals,
        time_plan=time_plan,
    )


def images_of_plan(plan: SearchPlan) -> ImageSet:
    """Return all images of a search, for training and for evaluation.

    Raises:
        DataError: The images are missing or cannot be used as they are.
    """
    return load_images(plan.data, size=plan.size, download=True)


def _objective(
    plan: SearchPlan, images: ImageSet, device: str | None, checkpoint: Checkpoint | None = None
) -> SupernetObjective[Any]:
    registered = load_space(plan.space)
    space = registered.space(plan.settings.nodes)
    return SupernetObjective(
        space,
        images,
        supernet=supernet_builder(registered, plan.settings),
        settings=plan.settings,
        seed=plan.seed,
        device=device,
        checkpoint=checkpoint,
        paths=uniform_paths(plan, space),
    )
