"""The task of keypoints: persons in the crops of their boxes, as in COCO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from relativenas_optuna.evaluation.standalone.named_recipes import TASK_RECIPES
from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.evaluation.tasks.keypoints.annotations import (
    annotation_file,
    read_annotations,
)
from relativenas_optuna.evaluation.tasks.keypoints.average_precision import KeypointMeter
from relativenas_optuna.evaluation.tasks.keypoints.drawing import draw_person
from relativenas_optuna.evaluation.tasks.keypoints.head import SimpleBaseline
from relativenas_optuna.evaluation.tasks.keypoints.heatmaps import (
    decode,
    heatmap_loss,
    mirror_averaged,
)
from relativenas_optuna.evaluation.tasks.keypoints.joints import mirrored_joints
from relativenas_optuna.evaluation.tasks.keypoints.records import PersonRecords
from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.exceptions import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

_SHAPE = 3 / 4
"""Width of a crop as a share of its height."""
_MULTIPLE = 32


class KeypointTask:
    """Keypoints of persons by `SimpleBaseline`; see `Task`.

    The data are those of COCO 2017, with one sample for each person; the network is scored on
    part "val". The protocol is that of Xiao et al. (ECCV 2018), with the average of a crop and its
    mirror image in evaluation, but with the annotated boxes; see `KeypointMeter`.
    """

    name = "keypoints"
    recipe = TASK_RECIPES["keypoints"]
    strides = (32,)
    outputs = ("heatmaps",)
    protocol = "COCO AP with annotated boxes and the mean of each crop and its mirror image"

    def load(
        self,
        data: str,
        recipe: Recipe,
        *,
        train: bool,
        classes: tuple[str, ...] | None = None,
        workers: int = 0,
    ) -> Samples | None:
        """Return the annotated persons of part "train" or "val"; see `Task.load`.

        A crop has the height `recipe.size`, and three quarters of it as width, rounded to a
        multiple of 32.

        Raises:
            ValueError: The size is no multiple of 32.
            DataError: The annotations or images are missing or wrong, or the keypoints are not
                those of `classes`.
        """
        part = "train" if train else "val"
        if not train and not annotation_file(Path(data), part).exists():
            return None
        if recipe.size < _MULTIPLE or recipe.size % _MULTIPLE:
            raise ValueError(
                f"size must be a multiple of {_MULTIPLE} pixels for keypoints; got {recipe.size}"
            )
        annotations = read_annotations(Path(data), part)
        if classes is not None and annotations.joints != classes:
            odd = min(set(classes) ^ set(annotations.joints), default="their order")
            raise DataError(
                f"the data must have the keypoints of the network; they differ in {odd!r}"
            )
        width = _MULTIPLE * max(1, round(_SHAPE * recipe.size / _MULTIPLE))
        records = PersonRecords(
            annotations=annotations, size=(recipe.size, width), flip=recipe.flip
        )
        return Samples.of(records, annotations.joints, (3, *records.size), workers)

    def network(self, backbone: nn.Module, classes: tuple[str, ...]) -> nn.Module:
        """Return SimpleBaseline with a heat map for each keypoint."""
        return SimpleBaseline(backbone, len(classes), mirrored=mirrored_joints(classes))

    def loss(
        self, run: Callable[..., Any], inputs: Tensor, targets: list[dict[str, Any]], recipe: Recipe
    ) -> Tensor:
        """Return the mean squared error of the heat maps; see `heatmap_loss`."""
        joints = torch.stack([target["joints"] for target in targets])
        return heatmap_loss(run(inputs), joints)

    def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Return x, y in pixels of the crop and the value of the heat map, `[b, K, 3]`."""
        mirrored: Any = network.mirrored
        return decode(mirror_averaged(network, inputs, mirrored))

    def meter(self, samples: Samples) -> KeypointMeter:
        """Return an empty meter of the average precision; see `KeypointMeter`."""
        records: Any = samples.records
        return KeypointMeter(records, list(samples.indices))

    def draw(
        self,
        image: Tensor,
        prediction: Tensor,
        target: dict[str, Any] | None,
        classes: tuple[str, ...],
    ) -> Image:
        """Draw the keypoints over a crop; see `draw_person`."""
        true = None if target is None else target["joints"]
        return draw_person(image, prediction, true, classes)

    def serving(self, network: nn.Module) -> nn.Module:
        """Return the network: it maps normalised crops to heat maps `[b, K, h / 4, w / 4]`."""
        return network


KEYPOINTS = KeypointTask()
"""The task of keypoints."""
