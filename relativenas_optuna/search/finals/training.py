"""Train the stand-alone network of an architecture for one rung of the finals."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from relativenas_optuna._utils.checked_fields import from_data
from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.networks.io.tensors_file import load, save
from relativenas_optuna.networks.space_network import any_network
from relativenas_optuna.search.finals.images import shrunk
from relativenas_optuna.search.finals.scores import DIVERGED, RungScore
from relativenas_optuna.spaces.registry import NetworkSizes
from relativenas_optuna.spaces.space_genotype import is_built_in, space_of
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.calibration import CALIBRATION_IMAGES, calibrate, sample_of
from relativenas_optuna.training.data.fingerprint import digest
from relativenas_optuna.training.loop import evaluate, train_epoch
from relativenas_optuna.training.randomness import generators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.loop import EpochResult
    from relativenas_optuna.training.randomness import Generators

_ENTRY = "final"  # of a file's metadata
_WINDOW = 0.8  # epochs that the average of the weights is over
_LEAST_STEPS, _LEAST_BATCH = 40, 16


def batch_size_of(images: int, *, most: int) -> int:
    """Return the number of images in a step: a power of two with at least 40 steps in an epoch.

    Few images need small batches, since a short training needs steps.

    Args:
        images: Number of images to train on.
        most: Largest result; the smallest one is 16, or `most` if that is less.
    """
    wanted = 2 ** max(0, math.floor(math.log2(images / _LEAST_STEPS))) if images else 1
    return min(most, max(_LEAST_BATCH, wanted))


class FinalsTrainer:
    """A trainer of stand-alone networks that continues each network from rung to rung.

    All architectures have the same order of images, augmentation and seed of the initial weights,
    so that differences between them are less due to chance. The learning rate is constant, and an
    exponential moving average of the weights over about the last epoch is scored. It is nearly as
    good at any moment as weights after a falling learning rate, so that architectures can be
    compared after every rung.

    The weights after each rung are a file of `folder`. A missing or damaged file costs only time:
    its rung is trained again. On a CPU with the same number of threads, the result is the same to
    the last bit.

    Args:
        training: Images to train on; they set the device.
        validation: Images to score with.
        settings: Settings of the finals.
        search: Settings of the search, for all that the settings of the finals leave open.
        built_in: True for a space of this package. Networks of other spaces get the images as they
            are, because they may not take smaller ones.
        epochs: Epochs of each rung.
        seed: Seed of the initial weights and the training, 0 to 2**32 - 1.
        folder: Folder of the files, made if it is missing; None to keep no files.
    """

    def __init__(
        self,
        training: Images,
        validation: Images,
        *,
        settings: FinalsSettings,
        search: SearchSettings,
        built_in: bool,
        epochs: Sequence[int],
        seed: int,
        folder: Path | None,
    ) -> None:
        full = max(training.shape[1:])
        if built_in:
            training, validation = (shrunk(i, settings.pixels) for i in (training, validation))
        self._training, self._validation = training, validation
        share = max(training.shape[1:]) / full
        self._augmentation = Augmentation(
            padding=round(share * search.padding),
            flip=search.flip,
            cutout=round(share * search.cutout),
        )
        self._settings, self._search = settings, search
        self._batch_size = settings.batch_size or batch_size_of(
            len(training), most=search.batch_size
        )
        self._autocast = torch.bfloat16 if search.precision == "bfloat16" else None
        self._epochs, self._seed, self._folder = tuple(epochs), seed, folder
        self._images: str | None = None  # fingerprint, computed when it is needed

    def parameters(self, genotype: AnyGenotype) -> int:
        """Return the number of learnt parameters of an architecture's network.

        Raises:
            SpaceError: The space has no stand-alone networks.
        """
        network = self._built(genotype, meta=True)
        return sum(parameter.numel() for parameter in network.parameters())

    def train(
        self, genotype: AnyGenotype, rung: int, on_batch: Callable[[], None] = lambda: None
    ) -> RungScore:
        """Train an architecture for the epochs of a rung, and score it.

        Args:
            genotype: The architecture.
            rung: Number of the rung, from 0; the training continues that of the rung before.
            on_batch: Called after every batch.

        Raises:
            SpaceError: The space has no stand-alone networks.
            OSError: The weights cannot be written.
        """
        return self._after(genotype, rung, on_batch)[0]

    def step(self, genotype: AnyGenotype) -> tuple[Callable[[], object], int]:
        """Return a function that trains a new network for one step, and the images in a step.

        It serves to measure the time of a training; nothing is kept.

        Args:
            genotype: Architecture of the network.

        Raises:
            SpaceError: The space has no stand-alone networks.
        """
        network = self._initial(genotype).to(self._training.device)
        average, optimizer = self._averaged(network), self._optimizer(network)
        images = self._training.subset(range(min(self._batch_size, len(self._training))))
        random = generators(self._seed, 0, 0, 0, device=images.device)

        def step() -> None:
            self._epoch(
                network, optimizer, images, random, lambda _: average.update_parameters(network)
            )

        return step, len(images)

    def _after(
        self, genotype: AnyGenotype, rung: int, on_batch: Callable[[], None]
    ) -> tuple[RungScore, Mapping[str, Tensor] | None]:
        """Return the score and the weights after a rung; None for the weights if it diverged."""
        arguments = self._arguments(genotype, rung)
        found = self._read(arguments)
        if found is not None:
            return found
        network = self._initial(genotype).to(self._training.device)
        average = self._averaged(network)
        both = nn.ModuleDict({"network": network, "average": average})
        if rung > 0:
            before, weights = self._after(genotype, rung - 1, on_batch)
            if weights is None:
                return before, None
            both.load_state_dict(weights)
        trained = self._train(network, average, rung, on_batch)
        score = self._score(average) if trained and _is_finite(both) else DIVERGED
        if score.diverged:
            return DIVERGED, None
        self._write(arguments, both, score)
        return score, both.state_dict()

    def _averaged(self, network: nn.Module) -> AveragedModel:
        """Return the moving average of a network's weights over about an epoch.

        Until an epoch is done, the average is over the larger part of the steps so far, so that
        initial weights do not count.
        """
        most = 1 - 1 / max(2, _WINDOW * len(self._training) / self._batch_size)

        def update(averages: Any, current: Any, steps: Tensor | int) -> None:
            done = int(steps)
            torch._foreach_lerp_(averages, current, 1 - min(most, (1 + done) / (10 + done)))

        return AveragedModel(network, multi_avg_fn=torch.no_grad()(update))

    def _train(
        self,
        network: nn.Module,
        average: AveragedModel,
        rung: int,
        on_batch: Callable[[], None],
    ) -> bool:
        """Train for one rung; return False if the training diverged."""
        optimizer = self._optimizer(network)

        def after_batch(images: int) -> None:
            average.update_parameters(network)
            on_batch()

        for epoch in range(self._epochs[rung]):
            random = generators(self._seed, rung, epoch, 0, device=self._training.device)
            result = self._epoch(network, optimizer, self._training, random, after_batch)
            if not math.isfinite(result.loss):
                return False
        return True

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            network.parameters(),
            lr=self._settings.learning_rate,
            momentum=self._search.momentum,
            weight_decay=self._search.weight_decay,
        )

    def _epoch(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        images: Images,
        random: Generators,
        on_batch: Callable[[int], None],
    ) -> EpochResult:
        return train_epoch(
            network,
            network.parameters(),
            images,
            module=network,
            optimizer=optimizer,
            generators=random,
            augmentation=self._augmentation,
            batch_size=self._batch_size,
            clip=self._search.clip,
            memory_format=torch.channels_last,
            autocast=self._autocast,
            on_batch=on_batch,
        )

    def _score(self, network: nn.Module) -> RungScore:
        """Score a network after its batch norms took the statistics of training images.

        Those of the last steps belong to single weights, not to their average.
        """
        calibrate(
            network,
            sample_of(self._training, CALIBRATION_IMAGES, seed=self._seed),
            module=network,
            batch_size=2 * self._batch_size,
            generator=torch.Generator().manual_seed(self._seed),
            memory_format=torch.channels_last,
        )
        score = evaluate(
            network,
            self._validation,
            module=network,
            batch_size=2 * self._batch_size,  # without gradients there is room for more
            memory_format=torch.channels_last,
            autocast=self._autocast,
        )
        return (
            RungScore(loss=score.loss, accuracy=score.accuracy)
            if math.isfinite(score.loss)
            else DIVERGED
        )

    def _initial(self, genotype: AnyGenotype) -> nn.Module:
        """Return the network with initial weights; torch's global generator does not change."""
        with torch.random.fork_rng(devices=[]):
            # The network of a space that is not built in draws its own initial weights.
            torch.default_generator.manual_seed(self._seed)
            network = self._built(genotype)
        if is_built_in(genotype):
            draw_weights(network, torch.Generator().manual_seed(self._seed))
        return network.to(memory_format=torch.channels_last)

    def _built(self, genotype: AnyGenotype, *, meta: bool = False) -> nn.Module:
        sizes = NetworkSizes(
            channels=self._settings.channels,
            cells=self._settings.cells,
            in_channels=self._training.shape[0],
            num_classes=len(self._training.classes),
        )
        network: nn.Module = any_network(genotype, "cifar10", sizes, auxiliary=False, meta=meta)
        return network

    def _arguments(self, genotype: AnyGenotype, rung: int) -> dict[str, Any]:
        """Return all that the weights after a rung depend on, except the device."""
        if self._images is None:
            self._images = f"{digest(self._training)} {digest(self._validation)}"
        own, search = asdict(self._settings), asdict(self._search)
        return {
            "architecture": genotype.to_text(),
            "space": space_of(genotype),
            "seed": self._seed,
            "images": self._images,
            "epochs": list(self._epochs[: rung + 1]),
            "batch_size": self._batch_size,
            "augmentation": asdict(self._augmentation),
            **{name: own[name] for name in ("cells", "channels", "learning_rate")},
            **{name: search[name] for name in ("momentum", "weight_decay", "clip", "precision")},
        }

    def _file(self, arguments: Mapping[str, Any]) -> Path | None:
        if self._folder is None:
            return None
        name = sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:24]
        return self._folder / f"final-{name}.safetensors"

    def _write(self, arguments: Mapping[str, Any], network: nn.Module, score: RungScore) -> None:
        path = self._file(arguments)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            entry = json.dumps({"arguments": arguments, "score": asdict(score)})
            save(path, network.state_dict(), {_ENTRY: entry})

    def _read(self, arguments: Mapping[str, Any]) -> tuple[RungScore, Mapping[str, Tensor]] | None:
        path = self._file(arguments)
        if path is None or not path.exists():
            return None
        try:
            tensors, metadata = load(path)
            entry = json.loads(metadata[_ENTRY])
            if entry["arguments"] != arguments:
                return None
            return from_data(RungScore, entry["score"]), tensors
        except UNREADABLE:
            return None  # the rung is trained again


def _is_finite(module: nn.Module) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in module.state_dict().values())
