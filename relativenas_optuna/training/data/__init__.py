"""Image data sets: load, check and serve them in batches.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import DataError
    from relativenas_optuna.training.data.dataset import pictures_of
    from relativenas_optuna.training.data.images import Pictures
    from relativenas_optuna.training.data.load import as_pictures, load_pictures
    from relativenas_optuna.training.data.streamed import StreamedPictures, stream_folder

__all__ = [
    "DataError",
    "Pictures",
    "StreamedPictures",
    "as_pictures",
    "load_pictures",
    "pictures_of",
    "stream_folder",
]

_HOMES = {
    "DataError": "exceptions",
    "Pictures": "training.data.images",
    "StreamedPictures": "training.data.streamed",
    "as_pictures": "training.data.load",
    "load_pictures": "training.data.load",
    "pictures_of": "training.data.dataset",
    "stream_folder": "training.data.streamed",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
