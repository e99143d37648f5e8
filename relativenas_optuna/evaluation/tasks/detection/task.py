"""Object detection on PASCAL VOC by SSDLite, as a task for `relativenas train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from relativenas_optuna.evaluation.standalone.named_recipes import TASK_RECIPES
from relativenas_optuna.evaluation.tasks.detection.drawing import draw_boxes
from relativenas_optuna.evaluation.tasks.detection.head import SSDLite
from relativenas_optuna.evaluation.tasks.detection.meter import DetectionMeter
from relativenas_optuna.evaluation.tasks.detection.prepared import Decoded, PreparedImages
from relativenas_optuna.evaluation.tasks.detection.voc import read_voc
from relativenas_optuna.evaluation.tasks.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image
    from torch import Tensor, nn

    from relativenas_optuna.evaluation.standalone.recipe import Recipe

_LEAST_SIDE = 32
"""Least height and width of an image in pixels, the largest stride of the backbone."""


class Detection:
    """Object detection by `SSDLite`, with data in the format of PASCAL VOC; see `Task`."""

    name = "detection"
    recipe = TASK_RECIPES["detection"]
    strides = (16, 32)
    outputs = ("scores", "boxes")
    protocol = (
        "mAP at an IoU of 0.5 by the eleven points of VOC 2007 and the area of VOC 2010, without "
        "difficult objects; beside it the mAP of COCO"
    )

    def load(
        self,
        data: str,
        recipe: Recipe,
        *,
        train: bool,
        classes: tuple[str, ...] | None = None,
        workers: int = 0,
    ) -> Samples | None:
        """Return the images of a folder VOCdevkit; see `read_voc`.

        Raises:
            ValueError: The size is smaller than 32 pixels.
            DataError: The folder or a file of it is missing or cannot be used.
        """
        if recipe.size < _LEAST_SIDE:
            raise ValueError(
                f"size must be at least {_LEAST_SIDE} pixels for detection; got {recipe.size}"
            )
        found = read_voc(
            Path(data), train=train, side=recipe.size, flip=recipe.flip, classes=classes
        )
        if found is None:
            return None
        records, names = found
        return Samples.of(records, names, (3, recipe.size, recipe.size), workers)

    def network(self, backbone: nn.Module, classes: tuple[str, ...]) -> nn.Module:
        """Return an SSDLite for prepared images; class 0 is the background."""
        network = SSDLite(backbone, num_classes=1 + len(classes))
        network.transform = PreparedImages()
        return network

    def loss(self, run: Callable[..., Any], inputs: Tensor, targets: Any, recipe: Recipe) -> Tensor:
        """Return torchvision's loss of SSD.

        It is the cross-entropy of the classes, with three default boxes of the background for each
        one that has an object, plus the smooth L1 loss of the boxes, both per default box that has
        an object.
        """
        losses: dict[str, Tensor] = run(inputs, targets)
        return torch.stack([*losses.values()]).sum()

    def predict(self, network: nn.Module, inputs: Tensor) -> Any:
        """Return a dictionary for each image: "boxes", "scores" and "labels"."""
        return network(inputs)

    def meter(self, samples: Samples) -> DetectionMeter:
        """Return an empty meter of the mean average precision."""
        return DetectionMeter(len(samples.classes))

    def draw(self, image: Tensor, prediction: Any, target: Any, classes: tuple[str, ...]) -> Image:
        """Draw detections and objects over an image; see `draw_boxes`."""
        return draw_boxes(image, prediction, target, classes)

    def serving(self, network: nn.Module) -> nn.Module:
        """Return a module that computes scores and boxes of all default boxes."""
        assert isinstance(network, SSDLite)
        return Decoded(network)


DETECTION = Detection()
