"""The task of semantic segmentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.evaluation.standalone.named_recipes import TASK_RECIPES
from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.evaluation.tasks.segmentation.drawing import draw_masks
from relativenas_optuna.evaluation.tasks.segmentation.folders import IGNORED, list_masks
from relativenas_optuna.evaluation.tasks.segmentation.head import BiSeNet
from relativenas_optuna.evaluation.tasks.segmentation.meter import IoUMeter
from relativenas_optuna.evaluation.tasks.segmentation.records import LEAST_SIDE, MaskRecords
from relativenas_optuna.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image


class Segmentation:
    """Semantic segmentation by BiSeNet, which gives every pixel a class; see `Task`.

    The data is Cityscapes in the folder of its site: `leftImg8bit` and `gtFine`, each with `train`
    and `val`. Of the label ids in `*_gtFine_labelIds.png` 19 are classes, and the others are
    ignored. Its part `val` holds the test images. Or the data is a folder with `images`, `masks`
    and `classes.txt`: a mask is a PNG with the name of its image, whose values are the numbers of
    lines in `classes.txt`, from 0, or 255 for pixels to ignore. `images` and `masks` may lie in
    `train` and `val`.

    Images are trained on in random crops of `size` pixels, and evaluated whole.
    """

    name = "segmentation"
    recipe = TASK_RECIPES["segmentation"]
    strides = (16, 32)
    outputs = ("logits",)
    protocol = "mIoU at a single scale without mirror images, over the classes that occur"

    def load(
        self,
        data: str,
        recipe: Recipe,
        *,
        train: bool,
        classes: tuple[str, ...] | None = None,
        workers: int = 0,
    ) -> Samples | None:
        """Return the training or test images of a folder; see `Task`."""
        if recipe.size < LEAST_SIDE or recipe.size % LEAST_SIDE:
            raise ValueError(
                f"size must be a multiple of {LEAST_SIDE} pixels for segmentation; got "
                f"{recipe.size}"
            )
        listed = list_masks(Path(data), train=train)
        if listed is None:
            return None
        if classes is not None and classes != listed.classes:
            odd = min(set(classes) ^ set(listed.classes), default="their order")
            raise DataError(
                f"the data must have the classes of the network; they differ in {odd!r}"
            )
        records = MaskRecords(listed, recipe.size, recipe.flip)
        return Samples.of(records, listed.classes, (3, recipe.size, recipe.size), workers)

    def network(self, backbone: nn.Module, classes: tuple[str, ...]) -> BiSeNet:
        """Return BiSeNet on a backbone; see `Task`."""
        return BiSeNet(backbone, len(classes))

    def loss(
        self, run: Callable[..., Any], inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> Tensor:
        """Return the cross-entropy of the pixels that have a class, with auxiliary outputs.

        As in BiSeNet, the loss is that of the output plus `recipe.auxiliary` times the losses of
        the auxiliary outputs.
        """
        main, *others = run(inputs)
        classes = targets.long()
        count = (classes != IGNORED).sum().clamp(min=1)

        def of(logits: Tensor) -> Tensor:
            # Not the mean, which is NaN for images without any class.
            total = functional.cross_entropy(logits, classes, ignore_index=IGNORED, reduction="sum")
            return total / count

        return of(main) + recipe.auxiliary * sum(map(of, others), torch.zeros_like(of(main)))

    def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Return the class of each pixel, uint8 `[b, h, w]`."""
        logits: Tensor = network(inputs)
        return logits.argmax(1).to(torch.uint8)

    def meter(self, samples: Samples) -> IoUMeter:
        """Return an empty meter of the mean IoU; see `Task`."""
        return IoUMeter(samples.classes)

    def draw(
        self, image: Tensor, prediction: Tensor, target: Tensor | None, classes: tuple[str, ...]
    ) -> Image:
        """Draw a mask over its image; see `Task`."""
        return draw_masks(image, prediction, target, classes)

    def serving(self, network: nn.Module) -> nn.Module:
        """Return the network, which gives logits `[b, classes, h, w]`; see `Task`."""
        return network


SEGMENTATION = Segmentation()
