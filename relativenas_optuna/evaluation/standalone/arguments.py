"""What a training was begun with, so that another is told apart from it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from relativenas_optuna.training.data.fingerprint import digest

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.data.streamed import StreamedImages

IMAGES = ("training images", "test images")
"""Names of arguments whose values say nothing to people."""
SHOWN = {"parts": "processes times accumulate"}
"""Arguments that people know under another name."""


def arguments_of(
    genotype: Genotype,
    training: Images | StreamedImages,
    test: Images | StreamedImages | None,
    *,
    recipe: Recipe,
    seed: int,
    processes: int,
) -> dict[str, Any]:
    """All that the weights and figures of a training depend on but the device, by name."""
    fields = asdict(recipe)
    # Two processes, or one that takes its batches in two parts, come to the same.
    fields["parts"] = processes * fields.pop("accumulate")
    return {
        "architecture": genotype.to_text(),
        "seed": seed,
        IMAGES[0]: digest(training),
        IMAGES[1]: None if test is None else digest(test),
        **fields,
    }
