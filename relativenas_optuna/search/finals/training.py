"""Train the stand-alone networks of architectures from rung to rung of the finals."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from torch import nn

from relativenas_optuna.search.finals.images import shrunk
from relativenas_optuna.search.finals.network_trainer import NetworkTrainer
from relativenas_optuna.search.finals.networks import finals_network
from relativenas_optuna.search.finals.rung_files import RungFiles
from relativenas_optuna.search.finals.scores import DIVERGED, RungScore
from relativenas_optuna.spaces.space_genotype import space_of
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.data.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.image_set import ImageSet

_SHORT = 12  # epochs at the end of a rung, up to which its trainings see whole images


class FinalsTrainer:
    """A trainer of stand-alone networks that continues each network from rung to rung.

    All architectures have the same order of images, augmentation and seed of the initial weights,
    so that differences between them are less due to chance. In rungs that end after at most 12
    epochs, images are neither shifted nor cut out: networks with so short a training do not
    overfit, and whole images rank them better. The learning rate is constant, and an exponential
    moving average of the weights over about the last epoch is scored. It is nearly as good at any
    moment as weights after a falling learning rate, so that architectures can be compared after
    every rung.

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
        training: ImageSet,
        validation: ImageSet,
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
        whole = Augmentation(padding=0, flip=search.flip, cutout=0)
        changed = replace(
            whole, padding=round(share * search.padding), cutout=round(share * search.cutout)
        )
        self._augmentations = [
            whole if total <= _SHORT else changed for total in accumulate(epochs)
        ]
        self._settings, self._search = settings, search
        self._trainer = NetworkTrainer(
            training,
            validation,
            settings=settings,
            search=search,
            seed=seed,
        )
        self._epochs, self._seed, self._files = tuple(epochs), seed, RungFiles(folder)
        self._images: str | None = None  # fingerprint, computed when it is needed

    def parameters(self, genotype: AnyGenotype) -> int:
        """Return the number of learnt parameters of an architecture's network.

        Raises:
            SpaceError: The space has no stand-alone networks.
        """
        network = finals_network(genotype, self._settings, self._training, meta=True)
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
        return self._trainer.step(genotype)

    def _after(
        self, genotype: AnyGenotype, rung: int, on_batch: Callable[[], None]
    ) -> tuple[RungScore, Mapping[str, Tensor] | None]:
        """Return the score and the weights after a rung; None for the weights if it diverged."""
        arguments = self._arguments(genotype, rung)
        found = self._files.read(arguments)
        if found is not None:
            return found
        network, average = self._trainer.new(genotype)
        both = nn.ModuleDict({"network": network, "average": average})
        if rung > 0:
            before, weights = self._after(genotype, rung - 1, on_batch)
            if weights is None:
                return before, None
            both.load_state_dict(weights)
        trained = self._trainer.train(
            network,
            average,
            self._epochs[rung],
            rung=rung,
            augmentation=self._augmentations[rung],
            on_batch=on_batch,
        )
        score = self._trainer.score(average) if trained and _is_finite(both) else DIVERGED
        if score.diverged:
            return DIVERGED, None
        self._files.write(arguments, both.state_dict(), score)
        return score, both.state_dict()

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
            "batch_size": self._trainer.batch_size,
            "augmentations": list(map(asdict, self._augmentations[: rung + 1])),
            **{name: own[name] for name in ("cells", "channels", "learning_rate")},
            **{name: search[name] for name in ("momentum", "weight_decay", "clip", "precision")},
        }


def _is_finite(module: nn.Module) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in module.state_dict().values())
