"""Load the images to score a trained network on, prepared as in its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.data_names import is_folder
from relativenas_optuna.training.data.image_parts import has_part
from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.data.load import has_test_images, load_images
from relativenas_optuna.training.data.streamed import StreamedImages, stream_folder

if TYPE_CHECKING:
    from relativenas_optuna.networks.io.description import NetworkDescription

PARTS = ("test", "validation", "training")
_NAMED = 3
"""Number of classes that a message names."""


def images_to_score(
    description: NetworkDescription,
    data: str,
    *,
    part: str = "test",
    size: int | None = None,
    named: bool = True,
) -> ImageSet | StreamedImages:
    """Load images of a data set, with the mean and std of a network.

    Args:
        description: Description of the network.
        data: Name of a data set or folder of images; see `load_images`.
        part: "test"; "training" for all training images; or "validation" for the training images
            by which the network was chosen, if its file describes them.
        size: Side in pixels to which images are resized; None takes that of the network.
        named: True if the classes of the network have names; these must then be the names in the
            data set.

    Raises:
        DataError: The data set is missing, has no such part, or does not fit the network.
    """
    recipe = description.notes.get("recipe")
    recipe = recipe if isinstance(recipe, Mapping) else {}
    height, width = description.size
    if size is None and height == width and (named or description.dataset == "imagenet"):
        size = height
    train = part != "test"
    if not train:
        _require_test(data)
    streamed = recipe.get("random_resized_crop", description.dataset == "imagenet") is True
    images: ImageSet | StreamedImages
    if streamed and size is not None and is_folder(data):
        images = stream_folder(data, size=size, train=train)
    else:
        images = load_images(data, size=size, train=train, download=True)
    if images.shape[0] != description.in_channels:
        raise DataError(
            f"the network takes images of {description.in_channels} channels, but those of "
            f"{data!r} have {images.shape[0]}"
        )
    _require_classes(description.classes, images.classes, named=named)
    if part == "validation":
        fraction, seed = split_notes(description.notes)
        images = images.split(1 - fraction, seed=seed)[1]
    return replace(images, mean=description.mean, std=description.std)


def _require_test(data: str) -> None:
    if is_folder(data) and not has_part(Path(data), True):
        return  # the error of loading it says why
    if not has_test_images(data):
        kind = "no sub-folders train and test, so it has no" if is_folder(data) else "no"
        raise DataError(
            f"{'folder' if is_folder(data) else 'data'} {data!r} has {kind} test images: "
            f"pass --part training to score all its images"
        )


def _require_classes(own: tuple[str, ...], given: tuple[str, ...], *, named: bool) -> None:
    if len(own) != len(given):
        raise DataError(
            f"the network has {len(own)} classes, but the data has {len(given)}: "
            f"{', '.join(map(repr, given[:_NAMED]))}{', ...' if len(given) > _NAMED else ''}"
        )
    odd = [
        f"class {number} is {theirs!r} in the data and {ours!r} in the network"
        for number, (ours, theirs) in enumerate(zip(own, given, strict=True))
        if named and ours != theirs
    ]
    if odd:
        more = f"; and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        raise DataError(f"the data has other classes: {'; '.join(odd[:_NAMED])}{more}")


def split_notes(notes: Mapping[str, Any]) -> tuple[float, int]:
    """Return the share and the seed of the validation part of a network's training.

    Args:
        notes: Notes in the description of the network.

    Raises:
        DataError: There was no such part, or the notes do not describe it.
    """
    recipe, seed = notes.get("recipe"), notes.get("seed")
    fraction = recipe.get("validation_fraction") if isinstance(recipe, Mapping) else None
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        raise DataError(
            "the file does not describe the images by which the network was chosen: pass --part "
            "test or --part training"
        )
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise DataError("the file of the network does not hold the seed of its validation part")
    return fraction, seed
