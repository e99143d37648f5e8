"""Estimate the time of trainings on a CPU, and refuse those of more than a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.text import duration, number_of
from relativenas_optuna.exceptions import SearchError

if TYPE_CHECKING:
    import rich.console

    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

LONGEST = 24  # hours of a training on a CPU that need no --yes


def require_patience(
    seconds: float,
    epochs: int,
    *,
    unit: str = "epochs",
    shorter: str = "a shorter recipe (--recipe short)",
) -> None:
    """Raise if a training takes a CPU more than `LONGEST` hours.

    Args:
        seconds: Duration of one epoch, in seconds.
        epochs: Number of epochs.
        unit: Noun for the epochs, if they are something else.
        shorter: A way to work for less time.

    Raises:
        SearchError: The training takes longer. The message suggests faster ways.
    """
    whole = seconds * epochs
    if whole > 3600 * LONGEST:
        raise SearchError(
            f"{epochs} {unit} of {duration(seconds)} would take this CPU about "
            f"{duration(whole)}: take a GPU (--device cuda), {shorter}, or "
            f"begin all the same with --yes"
        )


def announce_trainings(
    notices: rich.console.Console,
    genotype: AnyGenotype,
    conditions: Conditions,
    training: AnyImages,
    options: dict[str, Any],
) -> None:
    """Print how long the remaining trainings of a comparison take on a CPU.

    Args:
        notices: Console to print on.
        genotype: An architecture of the comparison, whose epoch is timed.
        conditions: Recipe and folder of the trainings; finished ones in the folder do not count.
        training: Images to train on.
        options: Options of `relativenas compare`.

    Raises:
        SearchError: The trainings take more than a day, and `options["yes"]` is False.
    """
    import torch

    from relativenas_optuna.evaluation.standalone.estimate import seconds_of_epoch
    from relativenas_optuna.evaluation.standalone.result import FILE

    recipe, workers = conditions.recipe, options["workers"]
    named = 2 if options["no_baseline"] else 3
    ended = sum(1 for _ in conditions.out.glob(f"*/{FILE}"))
    trainings = options["seeds"] * (options["random"] + named) - ended
    if trainings <= 0:
        return
    one = seconds_of_epoch(genotype, training, recipe=recipe, device=torch.device("cpu"))
    seconds = one / workers  # each has as many threads as this process
    if not options["yes"]:
        require_patience(seconds, recipe.epochs * trainings)
    before = (
        ""
        if options["no_baseline"]
        else "; a random search as long as the search comes first, unless it is finished "
        "(--no-baseline leaves it out)"
    )
    notices.print(
        f"up to {number_of(trainings, 'training')} of {number_of(recipe.epochs, 'epoch')}, "
        f"in all about {duration(seconds * recipe.epochs * trainings)}{before}",
        soft_wrap=True,
    )
