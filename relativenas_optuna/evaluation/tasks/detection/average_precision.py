"""Compute average precision by the rules of PASCAL VOC.

No library that the field uses computes exactly these rules: torchmetrics, pycocotools and
faster-coco-eval match detections by the rules of COCO, and know no difficult objects. So they are
computed here, in the words of Everingham et al., The PASCAL Visual Object Classes (VOC) Challenge,
IJCV 2010, and of the development kit of VOC.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_iou

OVERLAP = 0.5
"""Least IoU of a detection with the object that it finds."""

#: True for each counted detection that finds an object, False for a false one; bool, `[n]`.
Hits: TypeAlias = NDArray[np.bool_]


def find_objects(
    boxes: Tensor, scores: Tensor, objects: Tensor, difficult: Tensor
) -> tuple[Tensor, Tensor]:
    """Compare the detections of one class in one image with the objects of that class.

    A detection belongs to the object with which it has the largest IoU. It finds it if the IoU is
    at least 0.5 and no detection with a higher score found it before. Other detections are false.
    Detections that find a difficult object do not count.

    Args:
        boxes: Boxes of the detections, `[n, 4]`.
        scores: Scores of the detections, `[n]`.
        objects: Boxes of the objects, `[m, 4]`.
        difficult: True for difficult objects, bool, `[m]`.

    Returns:
        Scores of the counted detections, highest first, and True for those that find an object.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, scores = boxes[order], scores[order]
    if not len(objects):
        return scores, torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
    overlap, nearest = box_iou(boxes, objects).max(1)
    enough = overlap >= OVERLAP
    # Cell (i, j) is True if detection i has enough overlap with object j, its nearest.
    belongs = enough[:, None] & (nearest[:, None] == torch.arange(len(objects)).to(nearest))
    earlier = belongs.cumsum(0)[torch.arange(len(boxes)), nearest] > 1
    counted = ~(enough & difficult[nearest])
    return scores[counted], (enough & ~earlier)[counted]


def ranked(scores: Tensor, hits: Tensor) -> Hits:
    """Return the hits of the detections of all images, highest score first.

    Among equal scores the false detections come first. So the order of the images has no effect.
    """
    order = np.lexsort((hits.cpu().numpy(), -scores.cpu().double().numpy()))
    found: Hits = hits.cpu().numpy()[order]
    return found


def eleven_point_precision(hits: Hits, objects: int) -> float:
    """Return the average precision of one class by the rule of VOC 2007.

    It is the mean, over the recalls 0, 0.1, ..., 1, of the largest precision at that recall or a
    higher one; 0 if that recall is not reached.

    Args:
        hits: Hits, highest score first.
        objects: Number of objects that are not difficult.

    Returns:
        0 to 1; NaN if there are no objects.
    """
    if objects == 0:
        return float("nan")
    found, precision = _curve(hits)
    # Whole numbers, because the share 3 / 10 is below the float 0.1 * 3.
    reached = 10 * found[None] >= np.arange(11)[:, None] * objects
    return float(np.where(reached, precision, 0.0).max(1, initial=0.0).mean())


def area_precision(hits: Hits, objects: int) -> float:
    """Return the average precision of one class by the rule of VOC since 2010.

    It is the area under the curve of the largest precision at each recall or a higher one.

    Args:
        hits: Hits, highest score first.
        objects: Number of objects that are not difficult.

    Returns:
        0 to 1; NaN if there are no objects.
    """
    if objects == 0:
        return float("nan")
    _, precision = _curve(hits)
    largest = np.maximum.accumulate(precision[::-1])[::-1]
    # The recall rises by 1 / objects at each hit, and nowhere else.
    return float(largest[hits].sum() / objects)


def _curve(hits: Hits) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the number of objects found and the precision after each detection."""
    found = hits.cumsum(dtype=np.int64)
    return found, found / np.arange(1, len(hits) + 1)
