"""Images of the finals: those of the search, resized to few pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from relativenas_optuna.training.data.file_images import labelled
from relativenas_optuna.training.data.pixel_store import gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.data.pixel_file import Array

_BATCH = 1024  # images that are resized at once


def shrunk(images: ImageSet, pixels: int) -> ImageSet:
    """Return images whose longer side has at most `pixels` pixels, in the same proportions.

    Smaller images are returned as they are. The mean and std of the given images are kept.

    Args:
        images: Images of any size.
        pixels: Largest side in pixels, at least 1.
    """
    _, height, width = images.shape
    longest = max(height, width)
    if longest <= pixels:
        return images
    size = [max(1, round(side * pixels / longest)) for side in (height, width)]

    def resized() -> Iterator[Array]:
        for batch, _ in images.batches(_BATCH):
            # On the CPU, since not every device can resize uint8 images.
            small = functional.interpolate(batch.cpu(), size=size, mode="bilinear", antialias=True)
            yield small.numpy()

    gathered = gather(resized(), count=len(images))
    if gathered is None:  # there are no images
        return images
    found = labelled(gathered, images.labels.cpu(), images.classes, images.mean, images.std)
    return found.to(images.device)
