"""Average precision by the rules of PASCAL VOC, by hand and by pycocotools where they agree."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from relativenas_optuna.evaluation.tasks.detection.average_precision import (
    area_precision,
    eleven_point_precision,
    find_objects,
    ranked,
)

BOXES = [[0.0, 0, 10, 10], [20, 20, 40, 40], [60, 60, 70, 80]]


def hits(text: str) -> Any:
    """Return hits of detections, highest score first: "+" for an object, "-" for none."""
    return np.array([sign == "+" for sign in text], dtype=bool)


# Precisions and recalls by hand; both rules, for 4 objects or as many as named.
@pytest.mark.parametrize(
    ("found", "objects", "eleven", "area"),
    [
        ("++++", 4, 1, 1),
        ("", 4, 0, 0),
        ("---", 4, 0, 0),
        ("+", 4, 3 / 11, 1 / 4),  # recalls 0, 0.1 and 0.2 are reached
        ("+", 10, 2 / 11, 1 / 10),  # recall 0.1 is reached exactly
        ("+++", 10, 4 / 11, 3 / 10),  # 3/10 is recall 0.3, in spite of rounding
        ("-+", 1, 1 / 2, 1 / 2),
        # Precisions 1, 1/2, 2/3, 2/4, 3/5: recall up to 1/3 has 1, up to 2/3 has 2/3, then 3/5.
        ("+-+-+", 3, (4 * 1 + 3 * 2 / 3 + 4 * 3 / 5) / 11, (1 + 2 / 3 + 3 / 5) / 3),
        # Precisions 0, 1/2, 2/3: the largest at a higher recall counts, 2/3 everywhere.
        ("-++", 2, 2 / 3, 2 / 3),
    ],
)
def test_precisions_of_hand_made_rankings(
    found: str, objects: int, eleven: float, area: float
) -> None:
    assert eleven_point_precision(hits(found), objects) == pytest.approx(eleven, rel=1e-12)
    assert area_precision(hits(found), objects) == pytest.approx(area, rel=1e-12)


def test_without_objects_there_is_no_precision() -> None:
    assert math.isnan(eleven_point_precision(hits("-"), 0))
    assert math.isnan(area_precision(hits("-"), 0))


def found(boxes: Any, scores: Any, objects: Any, difficult: Any = None) -> tuple[Any, str]:
    """Return scores and hits of detections as a list and a text."""
    scores, hits = find_objects(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(objects, dtype=torch.float32).view(-1, 4),
        torch.tensor(difficult or [False] * len(objects), dtype=torch.bool),
    )
    return scores.tolist(), "".join("+" if hit else "-" for hit in hits)


def test_the_second_detection_of_an_object_is_false() -> None:
    shifted = [21.0, 20, 41, 40]
    assert found([shifted, BOXES[1]], [0.5, 0.75], BOXES) == ([0.75, 0.5], "+-")


def test_an_overlap_of_a_half_is_enough() -> None:
    half = [[0.0, 0, 10, 5], [20, 20, 40, 29.9]]
    assert found(half, [0.5, 0.25], BOXES) == ([0.5, 0.25], "+-")


def test_a_detection_belongs_to_the_object_with_the_largest_overlap() -> None:
    """COCO would give the second detection the other object, which is still free."""
    objects = [[0.0, 0, 10, 10], [0, 0, 10, 12]]
    assert found([objects[0], [0, 0, 10, 10.5]], [0.75, 0.5], objects) == ([0.75, 0.5], "+-")


def test_detections_of_difficult_objects_do_not_count() -> None:
    detections = [BOXES[1], BOXES[1], BOXES[0], [80, 0, 90, 5]]
    scores, signs = found(detections, [1, 0.75, 0.5, 0.25], BOXES, [False, True, False])
    assert (scores, signs) == ([0.5, 0.25], "+-")


def test_images_without_objects_or_detections() -> None:
    assert found(BOXES[:2], [0.25, 0.5], []) == ([0.5, 0.25], "--")
    assert found([], [], BOXES) == ([], "")


def test_the_order_of_images_does_not_matter_among_equal_scores() -> None:
    scores, signs = torch.tensor([0.5, 1, 0.5, 0.5]), torch.tensor([True, True, False, True])
    expected = hits("+-++")
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        assert (ranked(scores[order], signs[order]) == expected).all()


def coco_precision(images: list[tuple[Tensor, Tensor, Tensor]], recalls: Any) -> float:
    """Return pycocotools' mean precision at given recalls, for detections of one class."""
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1}]}
    results = []
    for image, (boxes, scores, objects) in enumerate(images, start=1):
        truth["images"].append({"id": image})
        for x, y, right, bottom in objects.tolist():
            truth["annotations"].append({
                "id": len(truth["annotations"]) + 1, "image_id": image, "category_id": 1,
                "bbox": [x, y, right - x, bottom - y], "area": 1, "iscrowd": 0,
            })  # fmt: skip
        for (x, y, right, bottom), score in zip(boxes.tolist(), scores.tolist(), strict=True):
            results.append({
                "image_id": image, "category_id": 1, "score": score,
                "bbox": [x, y, right - x, bottom - y],
            })  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.recThrs = recalls
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [1000]
        evaluation.evaluate()
        evaluation.accumulate()
    return float(evaluation.eval["precision"].mean())


@pytest.mark.parametrize("seed", range(5))
def test_pycocotools_agrees_where_objects_are_apart(seed: int) -> None:
    """With objects that do not overlap, both match alike; the recalls then make VOC's rules."""
    generator = torch.Generator().manual_seed(seed)
    images = []
    for _ in range(6):
        corner = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))[:7] * 100
        objects = torch.cat([corner, corner + 60], 1)
        chosen = torch.randint(len(objects), (15,), generator=generator)
        moved = objects[chosen] + torch.randint(-12, 13, (15, 4), generator=generator)
        images.append((moved, torch.rand(15, generator=generator), objects))
    counted = [find_objects(*image, torch.zeros(7, dtype=torch.bool)) for image in images]
    scores, signs = (torch.cat(parts) for parts in zip(*counted, strict=True))
    order = ranked(scores, signs)
    assert 0.2 < order.mean() < 0.8
    eleven = coco_precision(images, np.arange(11) / 10)
    assert eleven_point_precision(order, 42) == pytest.approx(eleven, rel=1e-9)
    # The middle of each step of the recall makes the mean the area under the curve.
    area = coco_precision(images, (np.arange(42) + 0.5) / 42)
    assert area_precision(order, 42) == pytest.approx(area, rel=1e-9)
