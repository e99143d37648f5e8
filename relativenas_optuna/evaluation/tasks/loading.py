"""Load the images of a task for training and for scoring."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna.evaluation.measurement.scored_images import split_notes
from relativenas_optuna.exceptions import DataError

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.samples import Samples
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.networks.io.description import NetworkDescription

_MOST_READERS = 8


def samples_for(
    task: Task, recipe: Recipe, data: str, *, readers: int | None = None
) -> tuple[Samples, Samples | None]:
    """Load the training images and the test images of a task.

    Args:
        task: The task.
        recipe: Recipe of the training.
        data: Folder of the data set.
        readers: Processes that read ahead; None takes one per processor, at most 8.

    Returns:
        Training images, the validation part included, and test images; None if there are none.

    Raises:
        DataError: The data set is missing or cannot be used.
    """
    workers = min(_MOST_READERS, available_cores()) if readers is None else readers
    training = task.load(data, recipe, train=True, workers=workers)
    if training is None or len(training) == 0:
        raise DataError(f"{data!r} has no training images for {task.name}")
    test = task.load(data, recipe, train=False, classes=training.classes, workers=workers)
    return training, test


def samples_to_score(
    task: Task, description: NetworkDescription, data: str, *, part: str = "test"
) -> Samples:
    """Load the images to score a trained network on.

    Args:
        task: Task of the network.
        description: Description of the network.
        data: Folder of the data set.
        part: "test"; "training" for all training images; or "validation" for the training images
            by which the network was chosen.

    Raises:
        DataError: The data set is missing, has no such part, or does not fit the network.
    """
    workers = min(_MOST_READERS, available_cores())
    # The height is the size of the recipe.
    recipe = replace(task.recipe, size=description.size[0])
    samples = task.load(
        data, recipe, train=part != "test", classes=description.classes, workers=workers
    )
    if samples is None or len(samples) == 0:
        also = " pass --part training to score the training images" if part == "test" else ""
        raise DataError(f"{data!r} has no {part} images for {task.name}:{also}".rstrip(":"))
    if samples.classes != description.classes:
        odd = min(set(samples.classes) ^ set(description.classes), default="their order")
        raise DataError(f"the data must have the classes of the network; they differ in {odd!r}")
    if part == "validation":
        fraction, seed = split_notes(description.notes)
        samples = samples.split(1 - fraction, seed=seed)[1]
    return replace(samples, mean=description.mean, std=description.std)
