"""Compute fingerprints of image sets, which identify the same images under another path."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from torch import Size

from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.data.streamed import StreamedImages

_BATCH = 1024  # images that are read at once


def digest(images: ImageSet | StreamedImages) -> str:
    """Return a fingerprint of images, labels, class names, mean and std; 16 hexadecimal digits.

    The path of a folder does not matter. For `StreamedImages` the names of the files count, not
    their content.
    """
    # Rounded, since the last bits of a mean can differ between machines.
    mean, std = ([f"{value:.5g}" for value in of] for of in (images.mean, images.std))
    found = sha256(repr((images.classes, mean, std)).encode())
    found.update(images.labels.cpu().numpy().tobytes())
    if isinstance(images, ImageSet):
        found.update(repr((images.dtype, Size((len(images), *images.shape)))).encode())
        for batch, _ in images.batches(_BATCH):
            found.update(batch.cpu().contiguous().numpy().reshape(-1).data)
    else:
        shown = "\n".join(Path(path).name for path in images.paths)
        found.update(f"{images.size} {images.flip} {images.color_jitter}\n{shown}".encode())
    return found.hexdigest()[:16]
