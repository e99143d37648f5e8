"""How a network is trained alone, and the recipes that have a name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated

from relativenas_optuna._utils.checked_fields import Count, Range, Share, check_fields
from relativenas_optuna._utils.limits import MOST


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained from its first weights. The defaults are the paper's, for CIFAR.

    Attributes:
        family: "cifar", the network for small images, or "imagenet", that for large ones.
        channels: Channels of the first cell's nodes.
        cells: Cells of the network.
        size: Side that images are brought to, in pixels; 0 leaves them as they are.
        epochs: Passes over the training images.
        batch_size: Images of one step, over all processes.
        accumulate: Parts in which each process takes its share of a step, one after another; more
            parts need less memory. Batch norm sees a part at a time.
        auxiliary: Weight of the auxiliary head's loss; 0: there is no head.
        learning_rate: Of the first epoch, or of the first behind the warm-up.
        learning_rate_end: That the schedule goes to, and would reach behind the last epoch.
        schedule: "cosine" or "linear", from one to the other.
        warmup_epochs: Epochs in which the learning rate rises linearly before that.
        momentum: Of SGD.
        weight_decay: Of SGD.
        clip: Largest norm of all gradients together; 0: they are not clipped.
        label_smoothing: Share of the target that all classes have in common.
        drop_path: Probability that drop-path rises to, in proportion to the epoch.
        padding: Pixels of zeros around an image before it is cropped to its size again.
        flip: Whether images are mirrored at random.
        cutout: Side of the square that is blanked, in pixels.
        random_resized_crop: Whether crops are of random size and shape, for a folder of images
            that is read anew in every epoch. It needs a `size`, and no `padding`.
        color_jitter: How far brightness, contrast and saturation go up and down at random, as a
            share of 1; with `random_resized_crop`.
        validation_fraction: Share of the training images by which the epoch is chosen whose
            weights are kept; 0: all are trained on, and those of the last epoch are kept.
        precision: "float32", or "bfloat16" or "float16" for automatic mixed precision; "auto" takes
            what the device computes fast.

    Raises:
        ValueError: A value is out of range, or two do not go together.
    """

    family: Annotated[str, ("cifar", "imagenet")] = "cifar"
    channels: Annotated[int, Range(1, MOST["channels"])] = 36
    cells: Annotated[int, Range(1, MOST["cells"])] = 20
    size: Annotated[int, Range(0, MOST["size"])] = 0
    epochs: Annotated[int, Range(1)] = 600
    batch_size: Annotated[int, Range(2, MOST["batch_size"])] = 128
    accumulate: Annotated[int, Range(1, MOST["batch_size"])] = 1
    auxiliary: Annotated[float, Range(0)] = 0.4
    learning_rate: Annotated[float, Range(0)] = 0.025
    learning_rate_end: Annotated[float, Range(0)] = 0.0
    schedule: Annotated[str, ("cosine", "linear")] = "cosine"
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
                f"batch_size must be at least twice accumulate ({self.accumulate}), for batch norm "
                f"needs 2 images in each part; got {self.batch_size}"
            )
        if self.random_resized_crop and not self.size:
            raise ValueError("random_resized_crop needs a size to bring the images to; got 0")
        if self.random_resized_crop and self.padding:
            raise ValueError(
                f"random_resized_crop crops already, so padding must be 0; got {self.padding}"
            )
        if self.color_jitter and not self.random_resized_crop:
            raise ValueError(
                f"color_jitter goes with random_resized_crop only; got {self.color_jitter}"
            )

    def learning_rate_of(self, epoch: int) -> float:
        """The learning rate of an epoch, from 0; it is constant within one."""
        if epoch < self.warmup_epochs:
            return self.learning_rate * (epoch + 1) / self.warmup_epochs
        done = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        left = 1 - done if self.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
        return self.learning_rate_end + (self.learning_rate - self.learning_rate_end) * left

    def drop_path_of(self, epoch: int) -> float:
        """The drop-path probability of an epoch, from 0."""
        return self.drop_path * epoch / self.epochs


FIELDS: Mapping[str, object] = MappingProxyType(
    {field.name: field.default for field in fields(Recipe)}
)
"""The names of a recipe's fields, and the paper's values for CIFAR."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # Tan et al. 2021. The validation parts are ours: the paper names none.
        "cifar": Recipe(),
        "imagenet": Recipe(
            family="imagenet",
            channels=46,
            cells=14,
            size=224,
            epochs=250,
            batch_size=1024,
            learning_rate=0.5,
            schedule="linear",
            warmup_epochs=5,
            weight_decay=3e-5,
            clip=0.0,
            label_smoothing=0.1,
            drop_path=0.0,
            padding=0,
            cutout=0,
            random_resized_crop=True,
            color_jitter=0.4,
            validation_fraction=0.02,
        ),
        # Images of 32 pixels or so, in minutes on a CPU.
        "short": Recipe(
            channels=8,
            cells=5,
            epochs=30,
            batch_size=64,
            auxiliary=0.0,
            learning_rate=0.05,
            drop_path=0.0,
            padding=2,
            cutout=4,
            validation_fraction=0.2,
        ),
        # Images of 8 pixels that mean something else when mirrored.
        "digits": Recipe(
            channels=8,
            cells=5,
            epochs=20,
            batch_size=32,
            auxiliary=0.0,
            learning_rate=0.05,
            drop_path=0.0,
            padding=1,
            flip=False,
            cutout=2,
            validation_fraction=0.2,
        ),
    }
)
"""Recipes by name."""
