"""Load the images of a training as its recipe needs them."""

from __future__ import annotations

from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.data_names import is_folder
from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.data.load import has_test_images, load_images
from relativenas_optuna.training.data.streamed import StreamedImages, stream_folder

AnyImages = ImageSet | StreamedImages


def has_test(data: str) -> bool:
    """Return True if a data set or folder of images has test images."""
    return has_test_images(data)


def images_for(
    recipe: Recipe, data: str, *, readers: int | None = None
) -> tuple[AnyImages, AnyImages | None]:
    """Load the training images and the test images of a data set.

    Args:
        recipe: Recipe of the training; with `random_resized_crop` the images are not loaded but
            read from their folder while training.
        data: Name of a data set or folder of images; see `load_images`.
        readers: Processes that read ahead from a folder; None takes one per processor, at most 8.

    Returns:
        Training images, the validation part included, and test images; None for a folder without
        test images.

    Raises:
        DataError: The data set is missing or cannot be used.
    """
    tested = has_test(data)
    if not recipe.random_resized_crop:
        size = recipe.size or None
        training = load_images(data, size=size, download=True)
        return training, load_images(data, size=size, train=False) if tested else None
    if not is_folder(data):
        raise DataError(
            f"random_resized_crop needs a folder with a sub-folder of images for each class, "
            f"got {data!r}: use another recipe, or set random_resized_crop=false"
        )

    def streamed(*, train: bool) -> StreamedImages:
        return stream_folder(
            data,
            size=recipe.size,
            train=train,
            workers=readers,
            flip=recipe.flip,
            color_jitter=recipe.color_jitter,
        )

    return streamed(train=True), streamed(train=False) if tested else None
