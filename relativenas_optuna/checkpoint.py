"""The weight set of a search on disk, with the learner that waits for its partner."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.claims import Seat
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.training.files import load, save
from relativenas_optuna.training.weight_set import Trained

if TYPE_CHECKING:
    from torch import Tensor

    from relativenas_optuna.training.weight_set import WeightSet

FILE_NAME = "weights.safetensors"
_COMMITTED, _WAITING = "committed/", "waiting/"
# What reading a file from elsewhere can end with.
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A candidate that was trained and scored.

    Attributes:
        seat: What it was trained as; under a sampler without seats one made from its number.
        genotype: What was trained.
        loss: Mean cross-entropy on the validation pictures, in nats.
        accuracy: Share of the validation pictures classified right, 0 to 1.
        train_loss: Mean loss while it was trained.
    """

    seat: Seat
    genotype: Genotype
    loss: float
    accuracy: float
    train_loss: float

    def to_data(self) -> dict[str, Any]:
        """The candidate as plain JSON data."""
        return asdict(self) | {"genotype": self.genotype.to_text()}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Scored:
        """The candidate that `to_data` wrote.

        Raises:
            LookupError, TypeError, ValueError, AttributeError, OverflowError: It is nothing
                that `to_data` wrote.
        """
        seat = Seat(**data["seat"])
        if not all(
            type(number) is int and number >= 0 for number in (seat.generation, seat.number)
        ):
            raise ValueError(f"no seat: {seat}")
        return cls(
            seat=seat,
            genotype=Genotype.from_text(data["genotype"]),
            loss=float(data["loss"]),
            accuracy=float(data["accuracy"]),
            train_loss=float(data["train_loss"]),
        )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a weight set has come.

    Attributes:
        last: The candidate that was scored last. Where the study lacks its score, the process
            died between the two, and the score can be given again without training.
        waiting: The first of a pair and what it learned, until its partner is scored.
    """

    last: Scored
    waiting: tuple[Scored, Trained] | None


class Checkpoint:
    """One file in a folder, overwritten whole after every candidate.

    Args:
        folder: Made where it is missing.
        search: Identifies the search that the weights belong to.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, folder: str | Path, *, search: str) -> None:
        self.path = Path(folder) / FILE_NAME
        self._search = search
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def save(self, weights: WeightSet, progress: Progress) -> None:
        """Write weights and progress.

        Raises:
            OSError: The file cannot be written; the one before is whole.
        """
        tensors = {_COMMITTED + name: tensor for name, tensor in weights.snapshot().items()}
        state: dict[str, Any] = {"version": weights.version, "last": progress.last.to_data()}
        if progress.waiting is not None:
            scored, trained = progress.waiting
            tensors |= {_WAITING + name: tensor for name, tensor in trained.tensors.items()}
            state["waiting"] = scored.to_data()
        save(self.path, tensors, {"search": self._search, "state": json.dumps(state)})

    def restore(self, weights: WeightSet) -> Progress | None:
        """Bring a weight set to where the file left it; `None` where there is no file.

        What a killed process left of a file that it was writing is removed.

        Raises:
            ValueError: The file is not whole, or holds the weights of another search or supernet.
                The weight set is then as before.
        """
        for part in self.path.parent.glob(f".{FILE_NAME}.*.tmp"):
            part.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        tensors, metadata = load(self.path)
        if metadata.get("search") != self._search:
            raise ValueError(
                f"{str(self.path)!r} holds the weights of another search: give another folder, or "
                f"remove the file if that search is of no use any more"
            )
        try:
            state = json.loads(metadata["state"])
            last = Scored.from_data(state["last"])
            waiting = Scored.from_data(state["waiting"]) if "waiting" in state else None
            version = int(state["version"])
        except _UNREADABLE as error:
            raise ValueError(f"{str(self.path)!r} has unreadable metadata: {error!r}") from error
        try:
            trained = None if waiting is None else _trained(waiting, weights, tensors)
            weights.restore(_under(_COMMITTED, tensors), version=version)
        except ValueError as error:
            raise ValueError(
                f"{str(self.path)!r} holds weights of another shape, which this search cannot go "
                f"on with: {error}"
            ) from error
        if waiting is None or trained is None:
            return Progress(last=last, waiting=None)
        return Progress(last=last, waiting=(waiting, trained))


def _trained(scored: Scored, weights: WeightSet, tensors: dict[str, Tensor]) -> Trained:
    device = next(weights.supernet.parameters()).device
    own = {name: tensor.to(device) for name, tensor in _under(_WAITING, tensors).items()}
    trained = Trained(genotype=scored.genotype, tensors=own)
    weights.check(trained)
    return trained


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
