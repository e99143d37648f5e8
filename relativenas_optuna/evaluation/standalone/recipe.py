"""The recipe of a stand-alone training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated

from relativenas_optuna._utils.checked_fields import Count, Range, Share, check_fields
from relativenas_optuna._utils.limits import MOST


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of a stand-alone training. The defaults are the paper's for CIFAR.

    Attributes:
        family: "cifar" for the network for small images, "imagenet" for the one for large images.
        channels: Channels of the nodes of the first cell.
        cells: Number of cells of the network.
        size: Side in pixels to which images are resized; 0 leaves them as they are.
        epochs: Number of passes over the training images.
        batch_size: Number of images in one step, over all processes.
        accumulate: Number of parts in which each process takes its share of a step, one after
            another. More parts need less memory; batch norm sees one part at a time.
        auxiliary: Weight of the loss of the auxiliary head; 0 builds no head.
        pool_norm: "on" to add an affine batch norm after each pooling of a cell, "off" for none;
            "auto" adds it to the published architectures whose authors did: those of MIGO-NAS.
        learning_rate: Learning rate of the first epoch after the warm-up.
        learning_rate_end: Learning rate that the schedule would reach after the last epoch.
        optimizer: "sgd", or "adam" with its default moments.
        schedule: Decay from `learning_rate` to `learning_rate_end`: "cosine", "linear", "poly" (the
            power 0.9 of the share that is left), or "steps" (0.1 of the way is left after 9/14 and
            0.01 after 6/7 of the epochs).
        warmup_epochs: Number of epochs before the schedule in which the learning rate rises
            linearly.
        momentum: Momentum of SGD, 0 to 1.
        weight_decay: Weight decay of SGD.
        clip: Largest joint norm of all gradients; 0 switches clipping off.
        label_smoothing: Label smoothing of the cross-entropy, 0 to 0.99.
        drop_path: Drop-path probability that would be reached after the last epoch; it rises
            linearly from 0.
        padding: Pixels of zeros around an image before it is cropped to its own size again.
        flip: True to mirror images at random.
        cutout: Side in pixels of the square that cutout fills with zeros; 0 switches it off.
        random_resized_crop: True for crops of random size and shape, for a folder of images that
            is read anew in every epoch. It needs a `size` and no `padding`.
        color_jitter: Largest relative change of brightness, contrast and saturation, 0 to 1; only
            with `random_resized_crop`.
        validation_fraction: Share of the training images that is not trained on; the epoch with
            the highest accuracy on it is kept. With 0, all are trained on and the last epoch is
            kept.
        precision: "float32", or "bfloat16" or "float16" for automatic mixed precision; "auto"
            chooses the fast type of the device.

    Raises:
        ValueError: A value is out of range, or two values contradict each other.
    """

    family: Annotated[str, ("cifar", "imagenet")] = "cifar"
    channels: Annotated[int, Range(1, MOST["channels"])] = 36
    cells: Annotated[int, Range(1, MOST["cells"])] = 20
    size: Annotated[int, Range(0, MOST["size"])] = 0
    epochs: Annotated[int, Range(1)] = 600
    batch_size: Annotated[int, Range(2, MOST["batch_size"])] = 128
    accumulate: Annotated[int, Range(1, MOST["batch_size"])] = 1
    auxiliary: Annotated[float, Range(0)] = 0.4
    pool_norm: Annotated[str, ("auto", "on", "off")] = "auto"
    learning_rate: Annotated[float, Range(0)] = 0.025
    learning_rate_end: Annotated[float, Range(0)] = 0.0
    optimizer: Annotated[str, ("sgd", "adam")] = "sgd"
    schedule: Annotated[str, ("cosine", "linear", "poly", "steps")] = "cosine"
    warmup_epochs: Count = 0
    momentum: Share = 0.9
    weight_decay: Annotated[float, Range(0)] = 3e-4
    clip: Annotated[float, Range(0)] = 5.0
    label_smoothing: Annotated[float, Range(0, 0.99)] = 0.0
    drop_path: Annotated[float, Range(0, 0.99)] = 0.3
    padding: Annotated[int, Range(0, MOST["size"])] = 4
    flip: bool = True
    cutout: Annotated[int, Range(0, MOST["size"])] = 16
    random_resized_crop: bool = False
    color_jitter: Share = 0.0
    validation_fraction: Annotated[float, Range(0, 0.9)] = 0.1
    precision: Annotated[str, ("auto", "float32", "bfloat16", "float16")] = "auto"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be fewer than the {self.epochs} epochs; got "
                f"{self.warmup_epochs}"
            )
        if self.batch_size < 2 * self.accumulate:
            raise ValueError(
                f"batch_size must be at least twice accumulate ({self.accumulate}), since batch "
                f"norm needs 2 images in each part; got {self.batch_size}"
            )
        if self.random_resized_crop and not self.size:
            raise ValueError("random_resized_crop needs a size of at least 1; got 0")
        if self.random_resized_crop and self.padding:
            raise ValueError(f"padding must be 0 with random_resized_crop; got {self.padding}")
        if self.color_jitter and not self.random_resized_crop:
            raise ValueError(
                f"color_jitter must be 0 without random_resized_crop; got {self.color_jitter}"
            )

    @property
    def dataset(self) -> str:
        """Argument `dataset` of `build` for the family."""
        return "imagenet" if self.family == "imagenet" else "cifar10"

    @property
    def adds_pool_norm(self) -> bool | None:
        """Argument `pool_norm` of `build`."""
        return None if self.pool_norm == "auto" else self.pool_norm == "on"

    def learning_rate_of(self, epoch: float) -> float:
        """Return the learning rate after a number of epochs, from 0; it may have a fraction."""
        if epoch < self.warmup_epochs:
            rising = self.learning_rate * (epoch + 1) / self.warmup_epochs
            return min(self.learning_rate, rising)
        done = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        left = _SCHEDULES[self.schedule](done)
        return self.learning_rate_end + (self.learning_rate - self.learning_rate_end) * left

    def drop_path_of(self, epoch: float) -> float:
        """Return the drop-path probability after a number of epochs, from 0."""
        return self.drop_path * epoch / self.epochs


_SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
        "linear": lambda done: 1 - done,
        # Liu et al., ParseNet, 2015; Yu et al., BiSeNet, 2018.
        "poly": lambda done: max(0.0, 1 - done) ** 0.9,
        # After 90 and 120 of 140 epochs in Xiao et al., SimpleBaseline, 2018.
        "steps": lambda done: 1.0 if done < 9 / 14 else 0.1 if done < 6 / 7 else 0.01,
    }
)
"""Share of the decay that is left, by the share of the epochs that is done."""

FIELDS: Mapping[str, object] = MappingProxyType(
    {field.name: field.default for field in fields(Recipe)}
)
"""Names of the fields of a recipe, with their defaults."""
