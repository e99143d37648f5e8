"""How good a network is: data, the training loop, the shared weights."""

from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.calibration import calibrate
from relativenas_optuna.training.data import DataError, Pictures, load_pictures
from relativenas_optuna.training.files import load, save
from relativenas_optuna.training.loop import EpochResult, Evaluation, evaluate, train_epoch
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
    "Trained",
    "WeightSet",
    "calibrate",
    "evaluate",
    "generators",
    "load",
    "load_pictures",
    "save",
    "train_epoch",
]
