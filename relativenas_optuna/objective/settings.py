"""The settings of a search, and the presets that name them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.samplers.relative_nas.settings import MAX_SEED

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How candidates are trained and scored. The defaults are the paper's, for CIFAR.

    Attributes:
        nodes: Intermediate nodes of a cell.
        channels: Channels of the first cell; the stem has three times as many.
        cells: Cells of the network; those at a third and two thirds are reductions.
        population: Members per generation, even.
        generations: Generations in all; learning rate and drop-path follow their number.
        train_fraction: Share of the images that candidates train on; the rest scores them.
        batch_size: Images per step.
        learning_rate: Of the first generation.
        learning_rate_end: That the cosine over the generations ends at.
        momentum: Of SGD, with a fresh buffer for every candidate.
        weight_decay: Of SGD.
        clip: Largest norm of all gradients together.
        drop_path: Probability that drop-path rises to, in proportion to the generation.
        padding: Pixels of zeros around an image before it is cropped to its size again.
        flip: Whether images are mirrored at random.
        cutout: Side of the square that is blanked, in pixels.
        precision: "float32"; or "bfloat16", automatic mixed precision, which pays only where the
            device computes in that type: many a CPU does not. Calibration, losses and the shared
            weights are float32 in any case.

    Raises:
        ValueError: A value is out of range.
    """

    nodes: int = 4
    channels: int = 16
    cells: int = 8
    population: int = 20
    generations: int = 50
    train_fraction: float = 0.5
    batch_size: int = 256
    learning_rate: float = 0.1
    learning_rate_end: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float = 5.0
    drop_path: float = 0.3
    padding: int = 4
    flip: bool = True
    cutout: int = 16
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            whole = isinstance(getattr(SearchSettings, name), int)
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                kind = "a whole number" if whole else "a number"
                raise ValueError(f"{name} must be {kind}; got {value!r}")
            # A whole number can be greater than every float.
            if not low <= value <= min(high, sys.float_info.max):
                limits = f"at least {low} and finite" if high == math.inf else f"{low} to {high}"
                raise ValueError(f"{name} must be {limits}; got {value}")
        if not isinstance(self.flip, bool):
            raise ValueError(f"flip must be True or False; got {self.flip!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}"
            )
        if self.population % 2:
            raise ValueError(
                f"population must be even, for members learn in pairs; got {self.population}"
            )

    def learning_rate_of(self, generation: int) -> float:
        """The learning rate of a generation, on the cosine from the first to the last."""
        phase = math.pi * min(generation / self.generations, 1)
        span = self.learning_rate - self.learning_rate_end
        return self.learning_rate_end + span / 2 * (1 + math.cos(phase))

    def drop_path_of(self, generation: int) -> float:
        """The drop-path probability of a generation."""
        return self.drop_path * min(generation / self.generations, 1)


_RANGES: dict[str, tuple[float, float]] = {
    "nodes": (1, MOST["nodes"]),
    "channels": (1, MOST["channels"]),
    "cells": (1, MOST["cells"]),
    "population": (2, MOST["population"]),
    "generations": (1, math.inf),
    "train_fraction": (0.01, 0.99),
    "batch_size": (2, MOST["batch_size"]),
    "learning_rate": (0, math.inf),
    "learning_rate_end": (0, math.inf),
    "momentum": (0, 1),
    "weight_decay": (0, math.inf),
    "clip": (1e-12, math.inf),
    "drop_path": (0, 0.99),
    "padding": (0, MOST["size"]),
    "cutout": (0, MOST["size"]),
}

PRESETS: Mapping[str, SearchSettings] = MappingProxyType(
    {
        # The paper's: 9 hours on a GTX 1080 Ti.
        "paper": SearchSettings(),
        # Images of 32 pixels or so, in minutes on a CPU.
        "small": SearchSettings(
            channels=8,
            cells=5,
            population=8,
            generations=8,
            batch_size=64,
            drop_path=0.0,
            cutout=8,
        ),
        # Images of 8 pixels that mean something else when mirrored.
        "digits": SearchSettings(
            channels=8,
            cells=5,
            population=8,
            generations=6,
            batch_size=32,
            drop_path=0.0,
            padding=1,
            flip=False,
            cutout=2,
        ),
    }
)
"""Settings by name."""


def preset(name: str) -> SearchSettings:
    """The settings of that name.

    Raises:
        ValueError: There is none; the message lists the names.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")
    return PRESETS[name]


FIELD_NAMES = tuple(field.name for field in fields(SearchSettings))


def check_seed(seed: object) -> None:
    """Refuse what is no seed of a search.

    Raises:
        ValueError: It is not a whole number from 0 to 2**32 - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1; got {seed!r}")
