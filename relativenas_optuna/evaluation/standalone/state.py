"""Save and load the state of a training after a whole epoch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.evaluation.standalone.result import Epoch, Result
from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.networks.io.tensors_file import load, to_bytes
from relativenas_optuna.spaces.space_genotype import space_of
from relativenas_optuna.training.data.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

FILE = "state.safetensors"
_NETWORK, _OPTIMIZER, _KEPT = "network.", "optimizer.", "kept."
_TEST = "test images"
_IMAGES = ("training images", _TEST)
"""Names of the arguments that are stored as fingerprints; messages do not show their values."""
_SHOWN = {"parts": "processes times accumulate"}
"""Names in messages of arguments that are stored under other names."""


def arguments_of(
    genotype: AnyGenotype,
    training: AnyImages | Samples,
    test: AnyImages | Samples | None,
    *,
    recipe: Recipe,
    seed: int,
    processes: int,
) -> dict[str, Any]:
    """Return all arguments that a training's result depends on, except the device, by name."""
    fields = asdict(recipe)
    # Two processes train like one process that takes its batches in two parts.
    fields["parts"] = processes * fields.pop("accumulate")
    return {
        "space": space_of(genotype),
        "architecture": genotype.to_text(),
        "seed": seed,
        _IMAGES[0]: _fingerprint(training),
        _TEST: None if test is None else _fingerprint(test),
        **fields,
    }


@dataclass(kw_only=True)
class State:
    """State of a training between two epochs.

    Attributes:
        arguments: Arguments that the training was started with, by name, as plain JSON data.
        history: Figures of its whole epochs.
        kept_epoch: Number of the epoch whose weights are kept; -1 before the first.
        kept: Kept weights by name, on any device.
    """

    arguments: Mapping[str, Any]
    history: list[Epoch] = field(default_factory=list)
    kept_epoch: int = -1
    kept: dict[str, Tensor] = field(default_factory=dict)

    def add(self, epoch: Epoch, network: nn.Module) -> None:
        """Add an epoch to the history, and keep its weights if they are the best so far."""
        best = None if not self.history else self.history[self.kept_epoch]
        self.history.append(epoch)
        if best is None or _merit(epoch) > _merit(best):
            self.kept_epoch = epoch.epoch
            self.kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def write(self, folder: Path, trainer: StandaloneTrainer) -> None:
        """Write the state to a file that is replaced as a whole."""
        network, optimizer, scaler = trainer.network, trainer.optimizer, trainer.scaler
        moments = {
            f"{key}.{name}": tensor
            for name, parameter in network.named_parameters()
            for key, tensor in optimizer.state[parameter].items()
            if tensor is not None
        }
        newest = {} if self.kept_epoch == self.history[-1].epoch else self.kept
        tensors = {
            prefix + name: tensor
            for prefix, of in (
                (_NETWORK, network.state_dict()),
                (_OPTIMIZER, moments),
                (_KEPT, newest),
            )
            for name, tensor in of.items()
        }
        text = json.dumps(
            {
                "arguments": self.arguments,
                "history": [asdict(epoch) for epoch in self.history],
                "kept_epoch": self.kept_epoch,
                "scaler": None if scaler is None else scaler.state_dict(),
                "threads": torch.get_num_threads(),
            }
        )
        write_whole(folder / FILE, to_bytes(tensors, {"training": text}))

    @classmethod
    def read(cls, folder: Path, arguments: Mapping[str, Any], trainer: StandaloneTrainer) -> State:
        """Load the state in a folder into the trainer; return a new state if there is none.

        Test images may change until there is a result, because they are used only at the end.

        Raises:
            SearchError: The folder holds another training, or its state is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return cls(arguments=arguments)
        try:
            tensors, metadata = load(path)
            data = json.loads(metadata["training"])
            started = dict(data["arguments"])
        except (LookupError, TypeError, ValueError) as error:
            raise _damaged(folder, error) from error
        new_test = started.get(_TEST) != arguments[_TEST] and Result.read(folder) is None
        _require_same(
            folder, started | {_TEST: arguments[_TEST]} if new_test else started, arguments
        )
        try:
            state = cls._restored(data, tensors, arguments, trainer)
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise _damaged(folder, error) from error
        if new_test and trainer.group.writes_files:
            state.write(folder, trainer)
        return state

    @classmethod
    def _restored(
        cls,
        data: Any,
        tensors: Mapping[str, Tensor],
        arguments: Mapping[str, Any],
        trainer: StandaloneTrainer,
    ) -> State:
        network, scaler = trainer.network, trainer.scaler
        history = [Epoch(**epoch) for epoch in data["history"]]
        kept_epoch = int(data["kept_epoch"])
        if [epoch.epoch for epoch in history] != list(range(len(history))):
            raise ValueError("its epochs are not in order")
        if not 0 <= kept_epoch < len(history):
            raise ValueError(f"it keeps epoch {kept_epoch} of {len(history)}")
        network.load_state_dict(_under(_NETWORK, tensors))
        parameters = dict(network.named_parameters())
        for place, stored in _under(_OPTIMIZER, tensors).items():
            key, _, name = place.partition(".")
            parameter = parameters[name]
            if key == "step":  # Adam counts its steps on the CPU
                if stored.dim():
                    raise ValueError(f"the step of {name} has the shape {list(stored.shape)}")
                trainer.optimizer.state[parameter][key] = stored
                continue
            if stored.shape != parameter.shape:
                raise ValueError(f"{key} of {name} has the shape {list(stored.shape)}")
            # empty_like gives it the memory format of the parameter.
            own = torch.empty_like(parameter, requires_grad=False).copy_(stored)
            trainer.optimizer.state[parameter][key] = own
        if scaler is not None:
            scaler.load_state_dict(data["scaler"])
        device = next(network.parameters()).device
        kept = _under(_KEPT, tensors) or _under(_NETWORK, tensors)
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        if {name: tensor.shape for name, tensor in kept.items()} != shapes:
            raise ValueError("the kept weights are of another network")
        return cls(
            arguments=arguments,
            history=history,
            kept_epoch=kept_epoch,
            kept={name: tensor.to(device) for name, tensor in kept.items()},
        )


def recorded_threads(folder: Path) -> int | None:
    """Return the number of CPU threads of the training in a folder; None if there is none."""
    try:
        _, metadata = load(folder / FILE)
        found = json.loads(metadata["training"])["threads"]
    except (OSError, LookupError, TypeError, ValueError):  # `State.read` reports a damaged file
        return None
    return found if isinstance(found, int) and found > 0 else None


def _fingerprint(images: AnyImages | Samples) -> str:
    return images.fingerprint() if isinstance(images, Samples) else digest(images)


def _merit(epoch: Epoch) -> tuple[float, ...]:
    """Return the key by which the kept epoch is chosen; its number if there is no validation."""
    if epoch.validation_figures:
        # Of equal figures the later epoch counts: an AP can be 0 for many epochs.
        return next(iter(epoch.validation_figures.values())), epoch.epoch
    if epoch.validation_accuracy is None or epoch.validation_loss is None:
        return (epoch.epoch,)
    return epoch.validation_accuracy, -epoch.validation_loss


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _require_same(folder: Path, started: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        other = started.get(name)
        if other == value:
            continue
        differs = (
            f"other {name}"
            if name in _IMAGES
            else f"{_SHOWN.get(name, name)} {other!r}, not {value!r}"
        )
        raise SearchError(
            f"folder {str(folder)!r} holds a training that was started with {differs}: use the "
            f"same to continue it, or another --out"
        )


def _damaged(folder: Path, error: Exception) -> SearchError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return SearchError(
        f"the state of the training in {str(folder)!r} is damaged ({reason}): delete the folder to "
        f"start again, or use another --out"
    )
