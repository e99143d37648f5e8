"""Train and evaluate one network: image data, augmentation and the loop over an epoch.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import DataError
    from relativenas_optuna.networks.io.tensors_file import load, save
    from relativenas_optuna.training.augmentation import Augmentation
    from relativenas_optuna.training.calibration import calibrate
    from relativenas_optuna.training.data.dataset import images_of
    from relativenas_optuna.training.data.file_images import FileImages
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.data.load import as_images, load_images
    from relativenas_optuna.training.loop import (
        EpochResult,
        Evaluation,
        Stopped,
        evaluate,
        train_epoch,
    )
    from relativenas_optuna.training.randomness import Generators, generators
    from relativenas_optuna.training.threads import ThreadChoice, choose_threads

__all__ = [
    "Augmentation",
    "DataError",
    "EpochResult",
    "Evaluation",
    "FileImages",
    "Generators",
    "ImageSet",
    "Images",
    "Stopped",
    "ThreadChoice",
    "as_images",
    "calibrate",
    "choose_threads",
    "evaluate",
    "generators",
    "images_of",
    "load",
    "load_images",
    "save",
    "train_epoch",
]

_HOMES = {
    "Augmentation": "training.augmentation",
    "DataError": "exceptions",
    "EpochResult": "training.loop",
    "Evaluation": "training.loop",
    "Generators": "training.randomness",
    "FileImages": "training.data.file_images",
    "ImageSet": "training.data.image_set",
    "Images": "training.data.images",
    "Stopped": "training.loop",
    "ThreadChoice": "training.threads",
    "as_images": "training.data.load",
    "calibrate": "training.calibration",
    "choose_threads": "training.threads",
    "evaluate": "training.loop",
    "generators": "training.randomness",
    "load": "networks.io.tensors_file",
    "load_images": "training.data.load",
    "images_of": "training.data.dataset",
    "save": "networks.io.tensors_file",
    "train_epoch": "training.loop",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
