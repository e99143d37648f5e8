"""The training of one architecture from its first weights to a trained-network file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.standalone.recipe import Recipe
    from relativenas_optuna.standalone.result import Epoch, Result
    from relativenas_optuna.training.pictures import Pictures


def training_run(
    genotype: Genotype,
    training: Pictures,
    *,
    recipe: Recipe,
    seed: int,
    out: Path,
    test: Pictures | None = None,
    device: torch.device | str | None = None,
    name: str = "",
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Result:
    """Train an architecture by a recipe, or go on with that where it was ended.

    The weights that are kept are those of the epoch with the highest accuracy on a part of the
    training pictures that is drawn from the seed and never trained on; the test pictures are used
    once, for these weights. Called again with the same arguments it goes on after the last whole
    epoch, on a CPU to the last bit as if it had not been ended; once finished it gives its result.

    Args:
        genotype: The architecture.
        training: Pictures, on any device, or a folder of them that is read while training.
        recipe: How.
        seed: Of the validation part, the first weights and all that is random in training; from 0
            to 2**32 - 1.
        out: Folder of this training alone; made where it is missing. It gets the state, the log,
            the curve, and in the end the trained network.
        test: Pictures of the same classes, to report in the end.
        device: See `resolve_device`.
        name: Of the architecture, for the files and the result.
        on_epoch: Called after every epoch that was trained, once it is saved.

    Raises:
        DivergedError: The loss is no number any more; what the epochs before came to is kept.
        SearchError: The folder holds another training, which the message tells apart by name, or is
            in use.
        ValueError: The recipe does not fit the pictures or the device.
    """
    raise NotImplementedError
