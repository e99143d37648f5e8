"""Average precision of keypoints by COCO's rules, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
from typing import Any, Self

import numpy as np
from torch import Tensor

from relativenas_optuna.evaluation.tasks.keypoints.crop import Array, move
from relativenas_optuna.evaluation.tasks.keypoints.joints import COCO_JOINTS
from relativenas_optuna.evaluation.tasks.keypoints.records import PersonRecords
from relativenas_optuna.exceptions import TaskError

_SURE = 0.2
"""Smallest value of a keypoint's heat map that counts in a person's score, as in the code of Xiao
et al."""
_OTHER_SIGMA = 0.067
_FIGURES = ("AP", "AP50", "AP75", "AP medium", "AP large", "AR")
"""The first six figures that pycocotools gives for keypoints."""


class KeypointMeter:
    """Average precision by object keypoint similarity (OKS).

    A person is predicted in a crop of its annotated box. Published figures, such as the 68.5 of
    RelativeNAS, take the boxes of a person detector, and are therefore lower for the same network.
    The keypoints of COCO have COCO's constants of the OKS; others have 0.067, the mean of these.

    Persons of the same images that are not among the samples, and groups of persons, are ignored.

    Args:
        records: Crops of annotated persons.
        indices: Numbers of the records that are evaluated.
    """

    def __init__(self, records: PersonRecords, indices: list[int]) -> None:
        _require_pycocotools()
        found = records.annotations
        samples = found.samples[indices]
        images = np.unique(found.image[samples])
        persons = np.flatnonzero(np.isin(found.image, images))
        counted = np.isin(persons, samples)
        self._joints = found.joints
        self._truth = [
            _annotation(
                found.image[person], found.keypoints[person],
                area=float(found.areas[person]),
                bbox=found.boxes[person].tolist(),
                iscrowd=int(found.crowd[person]),
                num_keypoints=int((found.keypoints[person, :, 2] > 0).sum()) if sample else 0,
            )
            for person, sample in zip(persons, counted, strict=True)
        ]  # fmt: skip
        self._crops = {
            index: (int(found.image[sample]), records.affine(index))
            for index, sample in zip(indices, samples, strict=True)
        }
        self._predictions: dict[int, Array] = {}

    def update(self, predictions: Tensor, targets: list[dict[str, Any]]) -> None:
        """Add a batch.

        Args:
            predictions: x, y in pixels of the crops, and values of the heat maps, `[b, K, 3]`.
            targets: Targets of the crops, as `PersonRecords` gives them.
        """
        rows = predictions.double().cpu().numpy()
        for target, row in zip(targets, rows, strict=True):
            self._predictions[target["person"]] = row

    def merge(self, other: Self) -> None:
        """Add the predictions of another meter."""
        self._predictions |= other._predictions

    def result(self) -> dict[str, float]:
        """Return the figures, from 0 to 1.

        Returns:
            "AP" is the mean over the OKS thresholds 0.5, 0.55, ..., 0.95; then "AP50" and "AP75",
            and "AP medium" and "AP large" for areas from 32² to 96² pixels and above, if there are
            such persons. "AR" is the average recall.
        """
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        found = [self._prediction(index) for index in sorted(self._predictions)]
        images = [{"id": image} for image in {entry["image_id"] for entry in self._truth}]
        tables = []
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            for entries in (self._truth, found):
                table = COCO()
                table.dataset = {
                    "images": images,
                    "categories": [{"id": 1}],
                    "annotations": [entry | {"id": n} for n, entry in enumerate(entries, 1)],
                }
                table.createIndex()
                tables.append(table)
            evaluation = COCOeval(*tables, iouType="keypoints")
            if self._joints != COCO_JOINTS:
                evaluation.params.kpt_oks_sigmas = np.full(len(self._joints), _OTHER_SIGMA)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        figures = zip(_FIGURES, evaluation.stats.tolist(), strict=False)
        # pycocotools gives -1 where no person has such an area.
        return {name: value for name, value in figures if value >= 0}

    def _prediction(self, index: int) -> dict[str, Any]:
        row = self._predictions[index]
        image, affine = self._crops[index]
        points = np.column_stack([move(row[:, :2], affine), np.ones(len(row))])
        values = row[:, 2]
        sure = values[values > _SURE]
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        return _annotation(
            image, points,
            area=float(np.prod(high - low)),
            bbox=[*low, *(high - low)],
            score=float(sure.mean()) if len(sure) else 0.0,
        )  # fmt: skip


def _annotation(image: int, keypoints: Array, **fields: Any) -> dict[str, Any]:
    return {
        "image_id": int(image),
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        **fields,
    }


def _require_pycocotools() -> None:
    try:
        import pycocotools  # noqa: F401
    except ImportError:
        raise TaskError(
            "the metric of keypoints needs pycocotools: pip install 'relativenas-optuna[tasks]'"
        ) from None
