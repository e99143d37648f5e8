"""Fingerprints of image sets, by which the same images are known under another path."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from relativenas_optuna.training.data.images import Pictures
from relativenas_optuna.training.data.streamed import StreamedPictures


def digest(pictures: Pictures | StreamedPictures) -> str:
    """Return a fingerprint of images, labels, class names, mean and std; 16 hexadecimal digits.

    The path of a folder does not matter. Of images that are read while training the names of the
    files are taken, not their content.
    """
    # Rounded, since the last bits of a mean can differ between machines.
    mean, std = ([f"{value:.5g}" for value in of] for of in (pictures.mean, pictures.std))
    found = sha256(repr((pictures.classes, mean, std)).encode())
    found.update(pictures.labels.cpu().numpy().tobytes())
    if isinstance(pictures, Pictures):
        found.update(repr((pictures.images.dtype, pictures.images.shape)).encode())
        found.update(pictures.images.cpu().contiguous().numpy().reshape(-1).data)
    else:
        shown = "\n".join(Path(path).name for path in pictures.paths)
        found.update(f"{pictures.size} {pictures.flip} {pictures.color_jitter}\n{shown}".encode())
    return found.hexdigest()[:16]
