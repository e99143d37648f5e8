"""The mean average precision of detections, and their drawing."""

from __future__ import annotations

import builtins
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.tasks.detection.drawing import draw_boxes
from relativenas_optuna.evaluation.tasks.detection.meter import DetectionMeter
from relativenas_optuna.exceptions import TaskError

FIGURES = ["voc2007_map", "voc2010_map", "coco_map"]


def some(boxes: Any, labels: Any, **more: Any) -> dict[str, Tensor]:
    """Return a prediction (with scores) or a target (with difficult)."""
    found = {
        "boxes": torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
    }
    if "scores" in more:
        return {**found, "scores": torch.tensor(more["scores"], dtype=torch.float32)}
    difficult = more.get("difficult", [False] * len(labels))
    return {**found, "difficult": torch.tensor(difficult, dtype=torch.bool)}


FIRST, SECOND = [0.0, 0, 40, 40], [50.0, 50, 90, 90]
IMAGES = [
    (some([FIRST, SECOND], [1, 2], scores=[0.9, 0.8]), some([FIRST, SECOND], [1, 2])),
    (some([], [], scores=[]), some([FIRST], [2])),
    (some([SECOND], [1], scores=[0.7]), some([], [])),
]


def meter(images: list[Any], classes: int = 3) -> DetectionMeter:
    found = DetectionMeter(classes)
    for prediction, target in images:
        found.update([prediction], [target])
    return found


def test_perfect_detections_have_a_precision_of_1() -> None:
    assert meter(IMAGES[:1]).result() == dict.fromkeys(FIGURES, pytest.approx(1.0))


def test_classes_count_alike_and_those_without_objects_do_not() -> None:
    """Class 1 has precision 1 in spite of a later false detection; class 2 finds one of two."""
    found = meter(IMAGES).result()
    assert found == {
        "voc2007_map": pytest.approx((1 + 6 / 11) / 2),
        "voc2010_map": pytest.approx((1 + 1 / 2) / 2),
        "coco_map": pytest.approx((1 + 51 / 101) / 2),  # recalls 0, 0.01, ..., 0.5
    }


def test_cocos_figure_is_the_mean_over_ten_overlaps() -> None:
    """An IoU of 0.72 is enough for the thresholds 0.5, 0.55, 0.6, 0.65 and 0.7."""
    found = meter([(some([[0, 0, 40, 28.8]], [1], scores=[0.5]), some([FIRST], [1]))]).result()
    assert found == dict(zip(FIGURES, [1, 1, pytest.approx(0.5)], strict=True))


def test_difficult_objects_do_not_count() -> None:
    target = some([FIRST, SECOND], [1, 1], difficult=[False, True])
    for boxes in ([FIRST], [SECOND, FIRST], [SECOND, SECOND, FIRST]):
        prediction = some(boxes, [1] * len(boxes), scores=[0.9, 0.8, 0.7][: len(boxes)])
        assert list(meter([(prediction, target)]).result().values()) == [1.0, 1.0, 1.0]


def test_a_set_without_objects_has_a_precision_of_0() -> None:
    nothing = some([], [])
    assert meter([]).result() == meter([IMAGES[2]]).result() == dict.fromkeys(FIGURES, 0.0)
    assert meter([(some([], [], scores=[]), nothing)]).result() == dict.fromkeys(FIGURES, 0.0)


def test_more_than_100_detections_of_an_image_are_measured() -> None:
    boxes = [[float(n), 0, n + 0.5, 1] for n in range(150)]
    prediction = some([*boxes, FIRST], [1] * 151, scores=[*torch.rand(150).tolist(), 2.0])
    assert meter([(prediction, some([FIRST], [1]))]).result()["voc2007_map"] == 1


def test_meters_of_several_processes_are_merged() -> None:
    merged = meter(IMAGES[::2])
    merged.merge(pickle.loads(pickle.dumps(meter(IMAGES[1::2]))))  # noqa: S301 (as torchrun does)
    assert merged.result() == meter(IMAGES).result()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "pycocotools":
            raise ModuleNotFoundError("No module named 'pycocotools'", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TaskError, match=r"COCO needs pycocotools: pip install 'rel.*\[tasks\]'"):
        DetectionMeter(2)


def test_boxes_are_drawn_in_two_colours() -> None:
    image = torch.full((3, 100, 120), 90, dtype=torch.uint8)
    prediction = some([FIRST, SECOND], [1, 2], scores=[0.9, 0.1])
    drawn = np.asarray(draw_boxes(image, prediction, some([SECOND], [2]), ("cat", "dog")))
    assert drawn.shape == (100, 120, 3)
    assert drawn[20, 0].tolist() == [255, 69, 0]  # the left side of the detection, orange-red
    assert drawn[70, 50].tolist() == [50, 205, 50]  # the left side of the object, lime green
    assert drawn[20, 20].tolist() == [90, 90, 90]
    nothing = some([], [], scores=[])
    for target in (None, some([], [])):
        assert np.asarray(draw_boxes(image, nothing, target, ("cat", "dog"))).max() == 90
