"""How long a training will take, from a few steps of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.training.data.streamed import StreamedImages

if TYPE_CHECKING:
    import torch

    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.training.data.images import Images

_FEW = 8  # images of a step that tells whether whole batches can be waited for
_PATIENCE = 5.0  # seconds
_STEPS = 2


def seconds_of_epoch(
    genotype: Genotype,
    training: Images | StreamedImages,
    *,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """Estimate how long an epoch takes on a device, by steps of the network itself.

    Whole batches are timed where that takes seconds, else a few images of one.

    Args:
        genotype: The architecture.
        training: All images to train on, the validation part included.
        recipe: How.
        device: That trains; one process is taken to.
    """
    batch = max(2, recipe.batch_size // recipe.accumulate)
    few = min(_FEW, batch, len(training))

    def of_image(size: int, steps: int) -> float:
        """Seconds, in training; in validation it takes less, and is taken to take that."""
        count = min(size * steps, len(training))
        part = training.subset(range(count))
        if isinstance(part, StreamedImages):
            part = replace(part, workers=0)  # which take longer to begin than a few images
        trial = replace(recipe, batch_size=size, accumulate=1, validation_fraction=0.0)
        trainer = StandaloneTrainer(
            genotype, part, recipe=trial, seed=0, group=ProcessGroup(device=device)
        )
        start = perf_counter()
        with suppress(DivergedError):  # in these few images; it takes its time all the same
            trainer.epoch(0, None)
        return (perf_counter() - start) / count

    # The first steps of a process take longer than others.
    waited_for = of_image(few, 1) * batch < _PATIENCE
    return len(training) * (of_image(batch, _STEPS) if waited_for else of_image(few, 1))
