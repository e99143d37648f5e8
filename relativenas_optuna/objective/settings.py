"""The settings of a search, and the presets that name them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated

from relativenas_optuna._utils.checked_fields import Range, Share, check_fields
from relativenas_optuna._utils.limits import MAX_SEED, MOST

PRECISIONS = ("float32", "bfloat16")
_STAGES = 10  # of the training on uniform paths, about; a killed search loses one of them


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The settings by which candidates are trained and scored; the paper's for CIFAR by default.

    Attributes:
        nodes: Number of intermediate nodes of a cell, at least 1.
        channels: Channels of the first cell, at least 1; the stem has three times as many.
        cells: Number of cells of the network; those at a third and two thirds are reductions.
        population: Members per generation, at least 2.
        generations: Number of generations; learning rate and drop-path depend on it.
        train_fraction: Share of the images for training, 0.01 to 0.99; the others are for scoring.
        batch_size: Images per step, at least 2.
        learning_rate: Learning rate of the first generation.
        learning_rate_end: Learning rate at the end of the cosine schedule over the generations.
        momentum: Momentum of SGD; its buffer starts at zero for each candidate.
        weight_decay: Weight decay of SGD.
        clip: Largest norm of all gradients together.
        drop_path: Drop-path probability at the end, 0 to 0.99; it rises linearly from 0.
        padding: Pixels of zeros around an image before a random crop to its size.
        flip: True to mirror images at random.
        cutout: Side of the blanked square in pixels; 0 for none.
        precision: "float32", or "bfloat16" for automatic mixed precision. Mixed precision is faster
            only if the device computes in bfloat16, which many CPUs do not. Calibration, losses and
            the shared weights are float32 in both.
        uniform_epochs: Epochs of training on uniformly drawn paths, a new path for each batch,
            before the first generation. The learning rate and drop-path then follow these epochs,
            and candidates are only scored. 0 for the paper's way: each candidate trains for one
            epoch.
        tuning: Share of an epoch, 0 to 1, that each candidate trains for before it is scored if
            `uniform_epochs` is above 0, with a tenth of `learning_rate`. The shared weights stay as
            they are.

    Raises:
        ValueError: A value is out of range.
    """

    nodes: Annotated[int, Range(1, MOST["nodes"])] = 4
    channels: Annotated[int, Range(1, MOST["channels"])] = 16
    cells: Annotated[int, Range(1, MOST["cells"])] = 8
    population: Annotated[int, Range(2, MOST["population"])] = 20
    generations: Annotated[int, Range(1)] = 50
    train_fraction: Annotated[float, Range(0.01, 0.99)] = 0.5
    batch_size: Annotated[int, Range(2, MOST["batch_size"])] = 256
    learning_rate: Annotated[float, Range(0)] = 0.1
    learning_rate_end: Annotated[float, Range(0)] = 0.001
    momentum: Share = 0.9
    weight_decay: Annotated[float, Range(0)] = 3e-4
    clip: Annotated[float, Range(1e-12)] = 5.0
    drop_path: Annotated[float, Range(0, 0.99)] = 0.3
    padding: Annotated[int, Range(0, MOST["size"])] = 4
    flip: bool = True
    cutout: Annotated[int, Range(0, MOST["size"])] = 16
    precision: Annotated[str, PRECISIONS] = "float32"
    uniform_epochs: Annotated[int, Range(0)] = 0
    tuning: Share = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def learning_rate_of(self, generation: float) -> float:
        """Return the learning rate of a generation, by a cosine schedule."""
        return self._learning_rate(generation / self.generations)

    def drop_path_of(self, generation: float) -> float:
        """Return the drop-path probability of a generation."""
        return self.drop_path * min(generation / self.generations, 1)

    @property
    def uniform_stages(self) -> tuple[range, ...]:
        """The epochs on uniform paths in stages, after each of which the weights are committed."""
        length = max(1, self.uniform_epochs // _STAGES)
        epochs = range(self.uniform_epochs)
        return tuple(epochs[first : first + length] for first in epochs[::length])

    def uniform_learning_rate_of(self, epoch: int) -> float:
        """Return the learning rate of an epoch on uniform paths, by a cosine schedule."""
        return self._learning_rate(epoch / self.uniform_epochs)

    def uniform_drop_path_of(self, epoch: int) -> float:
        """Return the drop-path probability of an epoch on uniform paths."""
        return self.drop_path * epoch / self.uniform_epochs

    def _learning_rate(self, done: float) -> float:
        """Return the learning rate after a share of the schedule."""
        phase = math.pi * min(done, 1)
        span = self.learning_rate - self.learning_rate_end
        return self.learning_rate_end + span / 2 * (1 + math.cos(phase))


PRESETS: Mapping[str, SearchSettings] = MappingProxyType(
    {
        # The paper's: 9 hours on a GTX 1080 Ti.
        "paper": SearchSettings(),
        # Images of 32 pixels or so, in minutes on a CPU.
        "small": SearchSettings(
            channels=8,
            cells=5,
            population=8,
            generations=12,
            batch_size=64,
            drop_path=0.0,
            cutout=8,
            uniform_epochs=32,
        ),
        # Images of 8 pixels that mean something else when mirrored.
        "digits": SearchSettings(
            channels=8,
            cells=5,
            population=8,
            generations=10,
            batch_size=32,
            drop_path=0.0,
            padding=1,
            flip=False,
            cutout=2,
            uniform_epochs=24,
        ),
    }
)
"""Search settings by the name of the preset."""


def preset(name: str) -> SearchSettings:
    """Return the search settings of a preset.

    Raises:
        ValueError: No preset has this name; the message lists the names.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")
    return PRESETS[name]


FIELD_NAMES = tuple(field.name for field in fields(SearchSettings))


def check_seed(seed: object) -> None:
    """Raise if a value is not a seed for a search.

    Raises:
        ValueError: The value is not a whole number from 0 to 2**32 - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1; got {seed!r}")
