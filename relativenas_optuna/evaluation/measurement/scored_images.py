"""The images that a trained network is scored on, prepared as those that it was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_parts import has_part
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.data.load import DATA_SETS, load_images
from relativenas_optuna.training.data.streamed import StreamedImages, stream_folder

if TYPE_CHECKING:
    from relativenas_optuna.networks.io.description import NetworkDescription

PARTS = ("test", "validation", "training")
_NAMED = 3
"""Classes that a message names."""


def images_to_score(
    description: NetworkDescription,
    data: str,
    *,
    part: str = "test",
    size: int | None = None,
    named: bool = True,
) -> Images | StreamedImages:
    """The images of a data set, with mean and std of the network.

    Args:
        description: Of the network.
        data: As for `load_images`.
        part: "test"; "training": all that the data set has for training; "validation": those of
            them that the network was chosen by, which its file must tell.
        size: Side in pixels that images are brought to; `None`: that of the network.
        named: Whether the network's classes have names, which must then be those of the data.

    Raises:
        DataError: The data set is not there, has no such part, or does not fit the network.
    """
    recipe = description.notes.get("recipe")
    recipe = recipe if isinstance(recipe, Mapping) else {}
    height, width = description.size
    if size is None and height == width and (named or description.dataset == "imagenet"):
        size = height
    train = part != "test"
    if not train and data not in DATA_SETS:
        _require_test(Path(data))
    streamed = recipe.get("random_resized_crop", description.dataset == "imagenet") is True
    images: Images | StreamedImages
    if streamed and size is not None and data not in DATA_SETS:
        images = stream_folder(data, size=size, train=train)
    else:
        images = load_images(data, size=size, train=train, download=True)
    if images.shape[0] != description.in_channels:
        raise DataError(
            f"the network takes images of {description.in_channels} channels, those of "
            f"{data!r} have {images.shape[0]}"
        )
    _require_classes(description.classes, images.classes, named=named)
    if part == "validation":
        images = images.split(1 - _fraction(recipe), seed=_seed(description.notes))[1]
    return replace(images, mean=description.mean, std=description.std)


def _require_test(folder: Path) -> None:
    if has_part(folder, True) and not has_part(folder, False):
        raise DataError(
            f"folder {str(folder)!r} has no test images, for it has no sub-folders train and "
            f"test: take --part training to score what is there"
        )


def _require_classes(own: tuple[str, ...], given: tuple[str, ...], *, named: bool) -> None:
    if len(own) != len(given):
        raise DataError(
            f"the network tells {len(own)} classes apart, the data has {len(given)}: "
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


def _fraction(recipe: Mapping[str, Any]) -> float:
    fraction = recipe.get("validation_fraction")
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        raise DataError(
            "the network's file does not say which images it was chosen by: take --part test or "
            "--part training"
        )
    return fraction


def _seed(notes: Mapping[str, Any]) -> int:
    seed = notes.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise DataError("the network's file does not say the seed of its validation part")
    return seed
