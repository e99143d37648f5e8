"""Plan a search for a given time, with fewer images and a shorter shortlist in a short time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.halving import rung_epochs, sizes_of
from relativenas_optuna.search.speed import has_networks, measured_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.search.budget import TimePlan
    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.search.speed import ImageSeconds
    from relativenas_optuna.training.data.image_set import ImageSet

SHORTLISTS = (32, 16, 8, 4, 2)
LEAST_IMAGES, LEAST_OF_CLASS = 1000, 20  # that a time may reduce the images to
ENOUGH_EPOCHS, ENOUGH_GENERATIONS, ENOUGH_ENTRANTS = 12, 6, 8
_EPOCHS = 2  # of the first rung, which tell much more than one; a longer shortlist is better then


def planned(
    plan: SearchPlan,
    objective: SupernetObjective[Any],
    images: ImageSet,
    *,
    used: float,
    workers: int,
) -> tuple[TimePlan, SearchPlan]:
    """Return the division of a search's time, and the search's plan with these numbers.

    Args:
        plan: Plan of the search, with a time, for its images.
        objective: Objective of the search with all images, whose steps are timed.
        images: All images.
        used: Seconds of the time that are used.
        workers: Number of processes that will search together.

    Raises:
        SearchError: The time is too short.
    """
    possible = plan if has_networks(plan, objective) else replace(plan, finals=None)
    seconds = measured_seconds(objective, possible)
    within, found = best_plan(possible, seconds, images.labels, used=used, workers=workers)
    if possible is not plan:
        found = replace(found, finals=plan.finals)  # `set_up` reports that they are impossible
    return within, found


def best_plan(
    plan: SearchPlan, seconds: ImageSeconds, labels: Tensor, *, used: float, workers: int
) -> tuple[TimePlan, SearchPlan]:
    """Return the best plan for a time and a measured speed; see `planned`.

    All images are used if the time is enough for 12 epochs of shared weights (6 generations if each
    candidate trains) and for finals of 8 architectures. Otherwise half of the images
    are used, or a quarter, and so on, down to 1,000 images or 20 of a class. The shortlist of the
    finals is the longest one with two epochs for each training of the first rung, unless the user
    chose its length.

    Args:
        plan: Plan of the search, with a time, for its images.
        seconds: Measured seconds of the steps.
        labels: Class of each image, `[n]`.
        used: Seconds of the time that are used.
        workers: Number of processes that will search together.

    Raises:
        SearchError: The time is too short.
    """
    found, error = None, None
    for number in _numbers(labels):
        training = max(2, round(plan.settings.train_fraction * number))
        parts = training, max(2, number - training)
        try:
            within, planned = _with_shortlist(plan, seconds, parts, used, workers)
        except SearchError as short:
            error = short
            continue
        if number < len(labels):
            planned = replace(planned, images=number)
        found = within, planned
        if _is_enough(within, planned):
            break
    if found is None:
        assert error is not None
        raise error
    return found


def images_in_time(plan: SearchPlan, images: ImageSet) -> ImageSet:
    """Return the images that a plan uses, with equal shares of each class."""
    if plan.images is None or plan.images >= len(images):
        return images
    return images.split(plan.images / len(images), seed=plan.seed)[0]


def _numbers(labels: Tensor) -> Iterator[int]:
    """Yield numbers of images to use, the largest first."""
    counts = labels.bincount()
    whole, smallest = len(labels), int(counts[counts > 0].min())
    share = 1.0
    while share == 1 or (share * whole >= LEAST_IMAGES and share * smallest >= LEAST_OF_CLASS):
        yield round(share * whole)
        share /= 2


def _with_shortlist(
    plan: SearchPlan, seconds: ImageSeconds, parts: tuple[int, int], used: float, workers: int
) -> tuple[TimePlan, SearchPlan]:
    """Return the plan for a number of images with the best shortlist; raise if none fits."""
    found, error = None, None
    for finals in _finals(plan):
        one = replace(plan, finals=finals)
        speed = seconds.speed(one, training=parts[0], validation=parts[1], workers=workers)
        assert plan.time is not None
        try:
            within = one.budget(speed).plan(plan.time, used=used)
        except SearchError as short:
            error = short
            continue
        settings = replace(
            plan.settings, generations=within.generations, uniform_epochs=within.uniform_epochs
        )
        found = within, replace(one, settings=settings, speed=speed)
        if finals is None or _first_epochs(finals, within.passes) >= _EPOCHS:
            break
    if found is None:
        assert error is not None
        raise error
    return found


def _finals(plan: SearchPlan) -> list[FinalsSettings | None]:
    """Return the finals to choose from, the longest first."""
    if plan.finals is None or plan.keeps_shortlist or plan.finals.passes is not None:
        return [plan.finals]
    return [replace(plan.finals, shortlist=number) for number in SHORTLISTS]


def _is_enough(within: TimePlan, planned: SearchPlan) -> bool:
    finals = planned.finals
    enough = within.uniform_epochs >= ENOUGH_EPOCHS
    if not within.uniform_epochs:
        enough = within.generations >= ENOUGH_GENERATIONS
    if finals is None:
        return enough
    entrants = finals.shortlist >= ENOUGH_ENTRANTS or planned.keeps_shortlist
    return enough and entrants and _first_epochs(finals, within.passes) >= _EPOCHS


def _first_epochs(finals: FinalsSettings, passes: int) -> int:
    """Return the epochs of each training in the first rung."""
    return rung_epochs(sizes_of(finals), passes)[0]
