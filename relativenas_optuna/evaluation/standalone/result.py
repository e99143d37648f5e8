"""What a training came to: after each epoch, and in the end."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relativenas_optuna._utils.files import write_whole

FILE = "result.json"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """How one epoch went. Losses are means over images, in nats; accuracies are shares of 1.

    Attributes:
        epoch: Its number, from 0.
        learning_rate: In this epoch.
        drop_path: Probability in this epoch.
        training_loss: While the weights moved, label smoothing and auxiliary loss included.
        training_accuracy: The same's accuracy.
        validation_loss: Cross-entropy on the validation part afterwards; `None` where there is
            none, as is the next.
        validation_accuracy: The same's accuracy.
        seconds: That it took, validation included.
    """

    epoch: int
    learning_rate: float
    drop_path: float
    training_loss: float
    training_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training came to, for the weights that it kept. Units are those of `Epoch`.

    Attributes:
        name: Of the architecture.
        seed: Of the training.
        epochs: How many were trained.
        kept_epoch: Number of the epoch whose weights are kept, from 0.
        validation_accuracy: After that epoch; `None` where no part was kept for it.
        validation_loss: The same's loss.
        test_accuracy: Of the kept weights, measured once in the end; `None` without test images.
        test_loss: The same's loss.
        parameters: Learnt parameters, without the auxiliary head.
        multiply_adds: Multiply-adds of one image.
        seconds: Of all epochs together.
        network: The trained-network file.
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

    def to_data(self) -> dict[str, Any]:
        """The figures by name, as plain JSON data; the network by the name of its file."""
        return asdict(self) | {"network": self.network.name}

    def write(self, folder: Path) -> None:
        """Write the figures into the folder of the training."""
        write_whole(folder / FILE, f"{json.dumps(self.to_data(), indent=1)}\n".encode())

    @classmethod
    def read(cls, folder: Path) -> Result | None:
        """The figures in a folder; `None` where there are none, or they are damaged."""
        try:
            data = json.loads((folder / FILE).read_bytes())
            result = cls(**data | {"network": folder / Path(data["network"]).name})
        except (OSError, LookupError, TypeError, ValueError):
            return None
        return result if result.network.exists() else None
