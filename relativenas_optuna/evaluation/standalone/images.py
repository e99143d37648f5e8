"""The pictures that a training is begun with, as its recipe needs them."""

from __future__ import annotations

from pathlib import Path

from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_parts import has_part
from relativenas_optuna.training.data.images import Pictures
from relativenas_optuna.training.data.load import DATA_SETS, load_pictures
from relativenas_optuna.training.data.streamed import StreamedPictures, stream_folder

AnyPictures = Pictures | StreamedPictures


def pictures_for(
    recipe: Recipe, data: str, *, readers: int | None = None
) -> tuple[AnyPictures, AnyPictures | None]:
    """Training and test pictures of a data set.

    Args:
        recipe: With `random_resized_crop` pictures stay in their folder, to be read while training.
        data: As for `load_pictures`.
        readers: Processes that read ahead from a folder; None: see `stream_folder`.

    Returns:
        Training pictures, the validation part included, and test pictures: `None` for a folder
        that has none.

    Raises:
        DataError: The data set is not there, or cannot be used as it is.
    """
    tested = data in DATA_SETS or has_part(Path(data), False)
    if not recipe.random_resized_crop:
        size = recipe.size or None
        training = load_pictures(data, size=size, download=True)
        return training, load_pictures(data, size=size, train=False) if tested else None
    if data in DATA_SETS:
        raise DataError(
            f"random_resized_crop is for a folder with a sub-folder of pictures for each class, "
            f"got {data!r}: take another recipe, or set random_resized_crop=false"
        )

    def streamed(*, train: bool) -> StreamedPictures:
        return stream_folder(
            data,
            size=recipe.size,
            train=train,
            workers=readers,
            flip=recipe.flip,
            color_jitter=recipe.color_jitter,
        )

    return streamed(train=True), streamed(train=False) if tested else None
