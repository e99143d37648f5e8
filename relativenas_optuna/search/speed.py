"""Measure the speed of a search by a few steps of its supernet and of networks of its finals."""

from __future__ import annotations

import statistics
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from relativenas_optuna.samplers.seats.keyed_random import keyed_generator
from relativenas_optuna.search.choice import FINALISTS, RANDOM_ARCHITECTURES
from relativenas_optuna.search.defaults import MIGO
from relativenas_optuna.search.finals.halving import steps_of
from relativenas_optuna.search.finals.training import FinalsTrainer
from relativenas_optuna.search.random_architectures import uniform_paths
from relativenas_optuna.search.speed_record import Speed
from relativenas_optuna.spaces.registry import BUILT_IN, load_space
from relativenas_optuna.spaces.space_genotype import genotype_from_text
from relativenas_optuna.training.calibration import CALIBRATION_IMAGES
from relativenas_optuna.training.step_time import images_of_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_DRAWS = 301  # purpose of random numbers
_SECONDS = 1.0  # of the steps of each kind of network
_FEWEST, _MOST = 4, 16  # architectures whose steps are timed
_STEP = 0.3  # seconds of a timed step


def has_networks(plan: SearchPlan, objective: SupernetObjective[Any]) -> bool:
    """Return True if the space of a search has stand-alone networks, which finals train."""
    registered = load_space(plan.space)
    return registered.network is not None or hasattr(objective.supernet, "standalone")


def choices(plan: SearchPlan) -> int:
    """Return the largest number of architectures that are scored again with the final weights."""
    # With finals, also the architectures that a model chooses.
    best = FINALISTS if plan.finals is None else plan.finals.shortlist
    predicted = 0 if plan.finals is None else sum(steps_of(plan.finals)[1:])
    return best + predicted + RANDOM_ARCHITECTURES + (plan.sampler == MIGO)


def _new_scores(plan: SearchPlan) -> int:
    """Return how many of the `choices` have no score yet that still holds."""
    if not plan.scores_compare:
        return choices(plan)
    best = FINALISTS if plan.finals is None else plan.finals.shortlist
    return choices(plan) - best


class ImageSeconds(NamedTuple):
    """The seconds that one image takes in each kind of step.

    Attributes:
        train: Training step of the supernet.
        score: Scoring with the supernet.
        final: Training step of a network of the finals; 0 without finals.
    """

    train: float
    score: float
    final: float

    def speed(self, plan: SearchPlan, *, training: int, validation: int, workers: int) -> Speed:
        """Return the speed of a search.

        Args:
            plan: Plan of the search.
            training: Number of images to train on.
            validation: Number of images to score with.
            workers: Number of processes that search together.
        """
        return Speed.of_images(
            plan.settings,
            training=training,
            validation=validation,
            calibration=min(CALIBRATION_IMAGES, training),
            evaluations=_new_scores(plan),
            train=self.train,
            score=self.score,
            final=self.final,
            workers=workers,
        )


def measured_seconds(objective: SupernetObjective[Any], plan: SearchPlan) -> ImageSeconds:
    """Measure the steps of a search on its real networks, in about two seconds.

    Random architectures are drawn, because their costs differ. The median of their times counts,
    because other programs can delay a step for seconds. Weights and random states are as before
    afterwards.

    Args:
        objective: Objective of the search.
        plan: Plan of the search, for its images and without impossible finals.
    """
    with torch.random.fork_rng(devices=[]):
        train, score = _of_supernet(objective, plan)
        final = 0.0
        if plan.finals is not None:
            trainer = finals_trainer(objective, plan, (), folder=None)
            texts = map(objective.space.text, _drawn(objective, plan))
            networks = (genotype_from_text(text, plan.space) for text in texts)
            final = seconds_per_image(trainer, networks, objective.device)
    return ImageSeconds(train, score, final)


def measured_speed(
    objective: SupernetObjective[Any], plan: SearchPlan, *, workers: int = 1
) -> Speed:
    """Return the speed of a search with all images of its objective; see `measured_seconds`.

    Args:
        objective: Objective of the search.
        plan: Plan of the search, for its images and without impossible finals.
        workers: Number of processes that search together, which do not run yet.
    """
    return measured_seconds(objective, plan).speed(
        plan,
        training=len(objective.training),
        validation=len(objective.validation),
        workers=workers,
    )


def seconds_per_image(
    trainer: FinalsTrainer, networks: Iterable[AnyGenotype], device: torch.device
) -> float:
    """Return the median seconds per image of a training step of networks in the finals.

    Args:
        trainer: Trainer of the finals.
        networks: The architectures; as many are timed as about a second allows, at least 4.
        device: Device of the trainer.
    """
    times: list[float] = []
    end = perf_counter() + _SECONDS
    for network in networks:
        step, images = trainer.step(network)
        if not times:
            step()  # the first step takes longer
        step()
        times.append(_seconds(step, device) / images)
        if len(times) == _MOST or (len(times) >= _FEWEST and perf_counter() > end):
            break
    return statistics.median(times)


def finals_trainer(
    objective: SupernetObjective[Any], plan: SearchPlan, epochs: tuple[int, ...], folder: Any
) -> FinalsTrainer:
    """Return the trainer of a plan's finals; see `FinalsTrainer` for `epochs` and `folder`."""
    assert plan.finals is not None
    return FinalsTrainer(
        objective.training,
        objective.validation,
        settings=plan.finals,
        search=plan.settings,
        built_in=plan.space in BUILT_IN,
        epochs=epochs,
        seed=plan.seed,
        folder=folder,
    )


def _of_supernet(objective: SupernetObjective[Any], plan: SearchPlan) -> tuple[float, float]:
    """Return the median seconds per image of training and of scoring random architectures."""
    training: list[float] = []
    scoring: list[float] = []
    end = 0.0
    for genotype in _drawn(objective, plan):
        with objective.steps(genotype) as steps:
            if not end:
                train = _images(steps.train, steps.training, objective.device)
                score = _images(steps.score, steps.scoring, objective.device)
                steps.train(train)
                steps.score(score)
                end = perf_counter() + _SECONDS
            training.append(_seconds(partial(steps.train, train), objective.device) / train)
            scoring.append(_seconds(partial(steps.score, score), objective.device) / score)
        if len(training) == _MOST or (len(training) >= _FEWEST and perf_counter() > end):
            break
    return statistics.median(training), statistics.median(scoring)


def _drawn(objective: SupernetObjective[Any], plan: SearchPlan) -> Iterator[Any]:
    draw, rng = uniform_paths(plan, objective.space), keyed_generator(plan.seed, _DRAWS)
    while True:
        yield draw(rng)


def _images(step: Callable[[int], object], images: int, device: torch.device) -> int:
    return images_of_step(
        lambda count: _seconds(lambda: step(count), device), images, seconds=_STEP
    )


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    start = _now(device)
    step()
    return _now(device) - start


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()
