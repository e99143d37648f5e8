"""Figures of a training: after each epoch and at the end."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relativenas_optuna._utils.files import write_whole

FILE = "result.json"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Figures of one epoch. Losses are means over images in nats; accuracies are shares, 0 to 1.

    Attributes:
        epoch: Number of the epoch, from 0.
        learning_rate: Learning rate in this epoch.
        drop_path: Drop-path probability in this epoch.
        training_loss: Loss while the weights changed, with label smoothing and auxiliary loss.
        training_accuracy: Accuracy while the weights changed; None for other tasks than
            classification.
        validation_loss: Cross-entropy on the validation part after the epoch; None without one,
            and for other tasks.
        validation_accuracy: Accuracy on the validation part after the epoch; None likewise.
        validation_figures: Figures of the task on the validation part by name, the main one first;
            None without one, and for classification.
        seconds: Duration in seconds, validation included.
    """

    epoch: int
    learning_rate: float
    drop_path: float
    training_loss: float
    training_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    validation_figures: dict[str, float] | None = None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """Result of a training, for the weights that it kept. Units are those of `Epoch`.

    Attributes:
        name: Name of the architecture.
        seed: Seed of the training.
        epochs: Number of epochs that were trained.
        kept_epoch: Number of the epoch whose weights are kept, from 0.
        validation_accuracy: Accuracy on the validation part after that epoch; None without one,
            and for other tasks than classification.
        validation_loss: Cross-entropy on the validation part after that epoch; None likewise.
        test_accuracy: Accuracy of the kept weights on the test images, measured once at the end;
            None without test images, and for other tasks.
        test_loss: Cross-entropy of the kept weights on the test images; None likewise.
        validation_figures: Figures of the task on the validation part by name, the main one first;
            None without one, and for classification.
        test_figures: Figures of the task on the test images by name; None likewise.
        parameters: Number of learnt parameters, without the auxiliary head.
        multiply_adds: Number of multiply-adds for one image.
        seconds: Duration of all epochs in seconds.
        network: Path of the trained-network file.
    """

    name: str
    seed: int
    epochs: int
    kept_epoch: int
    validation_accuracy: float | None
    validation_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    parameters: int
    multiply_adds: int
    seconds: float
    network: Path
    validation_figures: dict[str, float] | None = None
    test_figures: dict[str, float] | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the figures as plain JSON data, with the name of the network's file."""
        return asdict(self) | {"network": self.network.name}

    def write(self, folder: Path) -> None:
        """Write the figures into the folder of the training."""
        write_whole(folder / FILE, f"{json.dumps(self.to_data(), indent=1)}\n".encode())

    @classmethod
    def read(cls, folder: Path) -> Result | None:
        """Return the result in a folder; None if there is none, or if it is damaged."""
        try:
            data = json.loads((folder / FILE).read_bytes())
            result = cls(**data | {"network": folder / Path(data["network"]).name})
        except (OSError, LookupError, TypeError, ValueError):
            return None
        return result if result.network.exists() else None
