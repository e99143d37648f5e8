"""Measure detections by the rules of PASCAL VOC and of COCO."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from relativenas_optuna.evaluation.tasks.detection.average_precision import (
    Hits,
    area_precision,
    eleven_point_precision,
    find_objects,
    ranked,
)
from relativenas_optuna.exceptions import TaskError


class DetectionMeter:
    """Mean average precision (mAP) of detections.

    "voc2007_map" is the mean over the classes at an IoU of 0.5 by the eleven-point rule of VOC
    2007, and "voc2010_map" by the area under the curve, the rule since 2010. "coco_map" is COCO's
    mean over the IoUs 0.5, 0.55, ..., 0.95 with at most 100 detections of an image, by
    torchmetrics and pycocotools; difficult objects are crowds to it. A class without objects that
    are not difficult is left out of a mean. Without any, all figures are 0.

    The figures do not change if an image and all its boxes are resized, because an IoU does not.

    Args:
        classes: Number of classes, without the background.

    Raises:
        TaskError: torchmetrics or pycocotools is not installed.
    """

    def __init__(self, classes: int) -> None:
        _require_libraries()
        self._classes = classes
        self._predictions: list[dict[str, Tensor]] = []
        self._targets: list[dict[str, Tensor]] = []

    def update(
        self, predictions: Sequence[dict[str, Tensor]], targets: Sequence[dict[str, Tensor]]
    ) -> None:
        """Add a batch.

        Args:
            predictions: For each image "boxes" `[n, 4]`, "scores" `[n]` and "labels" `[n]`.
            targets: For each image "boxes" `[m, 4]`, "labels" `[m]` and "difficult", bool `[m]`.
        """
        self._predictions += map(_on_cpu, predictions)
        self._targets += map(_on_cpu, targets)

    def merge(self, other: DetectionMeter) -> None:
        """Add the batches of another meter."""
        self._predictions += other._predictions
        self._targets += other._targets

    def result(self) -> dict[str, float]:
        """Return "voc2007_map", "voc2010_map" and "coco_map", each 0 to 1."""
        curves = [self._ranked(label) for label in range(1, 1 + self._classes)]
        return {
            "voc2007_map": _mean(eleven_point_precision, curves),
            "voc2010_map": _mean(area_precision, curves),
            "coco_map": self._coco(),
        }

    def _ranked(self, label: int) -> tuple[Hits, int]:
        """Return the hits of a class, and the number of its objects that are not difficult."""
        scores, hits, count = [torch.zeros(0)], [torch.zeros(0, dtype=torch.bool)], 0
        for prediction, target in zip(self._predictions, self._targets, strict=True):
            found, wanted = prediction["labels"] == label, target["labels"] == label
            difficult = target["difficult"][wanted]
            counted = find_objects(
                prediction["boxes"][found],
                prediction["scores"][found],
                target["boxes"][wanted],
                difficult,
            )
            scores.append(counted[0])
            hits.append(counted[1])
            count += int((~difficult).sum())
        return ranked(torch.cat(scores), torch.cat(hits)), count

    def _coco(self) -> float:
        from torchmetrics.detection import MeanAveragePrecision

        if not self._targets:
            return 0.0
        metric = MeanAveragePrecision(backend="pycocotools")
        metric.warn_on_many_detections = False
        metric.update(
            self._predictions,
            [
                {"boxes": of["boxes"], "labels": of["labels"], "iscrowd": of["difficult"].long()}
                for of in self._targets
            ],
        )
        return max(0.0, float(metric.compute()["map"]))  # -1 without objects


def _require_libraries() -> None:
    try:
        import pycocotools  # noqa: F401
        import torchmetrics.detection  # noqa: F401
    except ImportError as error:
        raise TaskError(
            f"the mAP of COCO needs {error.name}: pip install 'relativenas-optuna[tasks]'"
        ) from error


def _on_cpu(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the CPU, those in half precision as float32."""
    found = {name: value.detach().cpu() for name, value in values.items()}
    return {name: x.float() if x.is_floating_point() else x for name, x in found.items()}


def _mean(rule: Callable[[Hits, int], float], curves: list[tuple[Hits, int]]) -> float:
    """Return the mean of a rule over the classes with objects; 0 if there are none."""
    precisions = [p for hits, objects in curves if not math.isnan(p := rule(hits, objects))]
    return sum(precisions) / len(precisions) if precisions else 0.0
