"""How good a network is: data, the training loop, the shared weights."""

from relativenas_optuna.networks.files import load, save
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.calibration import calibrate
from relativenas_optuna.training.data import DataError, Pictures, as_pictures, load_pictures
from relativenas_optuna.training.dataset import pictures_of
from relativenas_optuna.training.loop import (
    EpochResult,
    Evaluation,
    Stopped,
    evaluate,
    train_epoch,
)
from relativenas_optuna.training.randomness import Generators, generators
from relativenas_optuna.training.weight_set import Candidate, Trained, WeightSet

__all__ = [
    "Augmentation",
    "Candidate",
    "DataError",
    "EpochResult",
    "Evaluation",
    "Generators",
    "Pictures",
    "Stopped",
    "Trained",
    "WeightSet",
    "as_pictures",
    "calibrate",
    "evaluate",
    "generators",
    "load",
    "load_pictures",
    "pictures_of",
    "save",
    "train_epoch",
]
