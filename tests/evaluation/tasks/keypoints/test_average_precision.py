"""Average precision of keypoints, against values that are worked out by hand."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.tasks.keypoints.annotations import read_annotations
from relativenas_optuna.evaluation.tasks.keypoints.average_precision import KeypointMeter
from relativenas_optuna.evaluation.tasks.keypoints.crop import inverse, move
from relativenas_optuna.evaluation.tasks.keypoints.joints import COCO_JOINTS
from relativenas_optuna.evaluation.tasks.keypoints.records import PersonRecords
from tests.helpers.stick_figures import JOINTS, change, write_coco

SHOULDERS = (5, 6)
SHOULDER_SIGMA = 0.079  # of COCO


def records(folder: Path) -> PersonRecords:
    return PersonRecords(annotations=read_annotations(folder, "train"), size=(128, 96))


def batch(
    found: PersonRecords, indices: list[int], shift: float = 0.0, value: float = 0.9
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Return predictions, `shift` pixels of the image to the right of the truth, and targets."""
    rows, targets = [], []
    for index in indices:
        points = found.annotations.keypoints[found.annotations.samples[index], :, :2] + (shift, 0)
        places = move(points, inverse(found.affine(index)))
        rows.append(np.column_stack([places, np.full(len(places), value)]))
        targets.append(found.read(index, augment=False)[1])
    return torch.from_numpy(np.stack(rows)), targets


def figures(found: PersonRecords, indices: list[int], shift: float = 0.0) -> dict[str, float]:
    meter = KeypointMeter(found, indices)
    meter.update(*batch(found, indices, shift))
    return meter.result()


def test_a_perfect_prediction_has_an_average_precision_of_1(tmp_path: Path) -> None:
    found = records(write_coco(tmp_path, train=4, val=0, joints=COCO_JOINTS))
    result = figures(found, [0, 1, 2, 3, 4, 5])
    assert next(iter(result)) == "AP"
    assert [result[name] for name in ("AP", "AP50", "AP75", "AR")] == pytest.approx([1] * 4)


@pytest.mark.parametrize("similarity", [0.92, 0.72, 0.52, 0.48])
def test_a_shift_gives_the_share_of_thresholds_below_its_similarity(
    tmp_path: Path, similarity: float
) -> None:
    """One person, whose shoulders only are labelled, has one similarity: exp(-d²/(8 s² area))."""
    folder = write_coco(tmp_path, train=1, val=0, joints=COCO_JOINTS)
    keypoints = [0.0] * 51
    for joint in SHOULDERS:
        keypoints[3 * joint : 3 * joint + 3] = [30 + joint, 40, 2]
    change(folder, keypoints=keypoints, num_keypoints=2, area=2500.0, bbox=[20, 20, 40, 60])
    shift = math.sqrt(-8 * SHOULDER_SIGMA**2 * 2500 * math.log(similarity))
    result = figures(records(folder), [0], shift)
    thresholds = [0.5 + 0.05 * number for number in range(10)]
    expected = sum(similarity > threshold for threshold in thresholds) / 10
    assert result["AP"] == pytest.approx(expected)
    assert result["AR"] == pytest.approx(expected)
    assert result["AP50"] == pytest.approx(1 if similarity > 0.5 else 0)
    assert result["AP medium"] == result["AP"]
    assert "AP large" not in result


def test_keypoints_of_other_names_have_one_constant(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, train=1, val=0, joints=JOINTS)
    change(folder, area=2500.0)
    for similarity, expected in ((0.76, 0.6), (0.74, 0.5)):
        shift = math.sqrt(-8 * 0.067**2 * 2500 * math.log(similarity))
        assert figures(records(folder), [0], shift)["AP"] == pytest.approx(expected)


def test_a_wrong_prediction_with_a_low_score_costs_recall_and_not_precision(
    tmp_path: Path,
) -> None:
    """Precision is 1 up to a recall of 50 of the 101 points, so AP is 51/101."""
    found = records(write_coco(tmp_path, train=3, val=0))
    meter = KeypointMeter(found, [0, 3])
    meter.update(*batch(found, [0]))
    meter.update(*batch(found, [3], shift=1000.0, value=0.3))
    result = meter.result()
    assert result["AP"] == pytest.approx(51 / 101)
    assert result["AR"] == pytest.approx(0.5)


def test_other_persons_of_the_images_are_ignored(tmp_path: Path) -> None:
    found = records(write_coco(tmp_path, train=2, val=0))
    assert found.annotations.image.tolist() == [0, 1, 1]
    assert figures(found, [2])["AR"] == pytest.approx(1)


def test_a_missing_prediction_costs_recall(tmp_path: Path) -> None:
    found = records(write_coco(tmp_path, train=2, val=0))
    meter = KeypointMeter(found, [0, 1, 2])
    meter.update(*batch(found, [0, 2]))
    assert meter.result()["AR"] == pytest.approx(2 / 3)


def test_no_prediction_at_all_is_0(tmp_path: Path) -> None:
    found = records(write_coco(tmp_path, train=2, val=0))
    assert KeypointMeter(found, [0, 1, 2]).result()["AP"] == 0


def test_the_figures_count_a_keypoint_outside_of_its_image(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, train=1, val=0)
    change(folder, keypoints=[-20, 5, 2] + [0] * 12, num_keypoints=1, area=2500.0)
    assert figures(records(folder), [0])["AP"] == pytest.approx(1)
    assert figures(records(folder), [0], shift=60)["AP"] == 0


def test_merged_meters_of_several_processes_give_the_same_figures(tmp_path: Path) -> None:
    found = records(write_coco(tmp_path, train=4, val=0))
    indices = [0, 1, 2, 3, 4, 5]
    whole = KeypointMeter(found, indices)
    parts = [KeypointMeter(found, indices) for _ in range(2)]
    for index in indices:
        each = batch(found, [index], shift=index)
        whole.update(*each)
        parts[index % 2].update(*each)
    parts[0].merge(pickle.loads(pickle.dumps(parts[1])))  # noqa: S301
    assert parts[0].result() == whole.result()
    assert 0 < whole.result()["AP"] < 1


def test_a_prediction_decoded_from_the_crop_lands_on_the_person(tmp_path: Path) -> None:
    """The true keypoints of a crop, as a prediction, are moved back into the image."""
    found = records(write_coco(tmp_path, train=3, val=0))
    meter = KeypointMeter(found, [0, 1, 2, 3])
    for index in range(4):
        _, target = found.read(index, augment=False)
        meter.update(target["joints"][None], [target])
    assert meter.result()["AP"] == pytest.approx(1)
