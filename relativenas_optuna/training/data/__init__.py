"""Load image data sets, check them and serve them in batches.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import DataError
    from relativenas_optuna.training.data.dataset import images_of
    from relativenas_optuna.training.data.file_images import FileImages
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.data.load import as_images, load_images
    from relativenas_optuna.training.data.streamed import StreamedImages, stream_folder

__all__ = [
    "DataError",
    "FileImages",
    "ImageSet",
    "Images",
    "StreamedImages",
    "as_images",
    "images_of",
    "load_images",
    "stream_folder",
]

_HOMES = {
    "DataError": "exceptions",
    "FileImages": "training.data.file_images",
    "ImageSet": "training.data.image_set",
    "Images": "training.data.images",
    "StreamedImages": "training.data.streamed",
    "as_images": "training.data.load",
    "load_images": "training.data.load",
    "images_of": "training.data.dataset",
    "stream_folder": "training.data.streamed",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
