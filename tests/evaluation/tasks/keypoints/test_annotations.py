"""COCO annotations: what is read, and which files are refused by one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from relativenas_optuna.evaluation.tasks.keypoints.annotations import (
    annotation_file,
    read_annotations,
)
from relativenas_optuna.evaluation.tasks.keypoints.joints import (
    COCO_JOINTS,
    mirrored_joints,
    skeleton_of,
)
from relativenas_optuna.training import DataError
from tests.helpers.stick_figures import JOINTS, change, write_coco

UNLABELLED = [0] * 15
KEYPOINTS = [10, 20, 2, 30, 20, 1, 30, 40, 2, 0, 0, 0, 20, 60, 2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, with one and with two persons."""
    return write_coco(tmp_path, train=2, val=0)


def test_persons_are_read_with_their_images(folder: Path) -> None:
    change(folder, keypoints=KEYPOINTS, num_keypoints=4, bbox=[5, 6, 30, 60], area=900.5)
    found = read_annotations(folder, "train")
    assert found.joints == JOINTS
    assert found.samples.tolist() == [0, 1, 2]
    assert found.image.tolist() == [0, 1, 1]
    assert [Path(file).name for file in found.files] == ["000000000000.jpg", "000000000001.png"]
    assert found.boxes[0].tolist() == [5, 6, 30, 60]
    assert found.areas[0] == 900.5
    # COCO's indices of pixels become places of their centres.
    assert found.keypoints[0, :3].tolist() == [[10.5, 20.5, 2], [30.5, 20.5, 1], [30.5, 40.5, 2]]


@pytest.mark.parametrize(
    "fields",
    [
        {"iscrowd": 1},
        {"num_keypoints": 0},
        {"num_keypoints": 0, "keypoints": UNLABELLED},
        {"num_keypoints": None, "keypoints": UNLABELLED},
        {"bbox": [5, 5, 0, 10]},
        {"bbox": [500, 5, 10, 10]},
    ],
)
def test_crowds_and_persons_without_keypoints_or_box_are_no_samples(
    folder: Path, fields: dict[str, Any]
) -> None:
    change(folder, **fields)
    found = read_annotations(folder, "train")
    assert len(found.image) == 3
    assert found.samples.tolist() == [1, 2]


def test_annotations_of_other_categories_are_left_out(folder: Path) -> None:
    change(folder, category_id=18, keypoints=None, image_id="odd")
    assert len(read_annotations(folder, "train").image) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keypoints": [1, 2, 3]}, r"keypoints of annotations\[0\] must be a list of 15 numbers"),
        ({"keypoints": None}, r"keypoints of annotations\[0\] must be a list of 15 numbers"),
        ({"keypoints": ["1"] * 15}, "from -1e6 to 1e6"),
        ({"keypoints": [True] * 15}, "from -1e6 to 1e6"),
        ({"keypoints": [float("nan")] * 15}, "from -1e6 to 1e6"),
        ({"keypoints": [1e300, *KEYPOINTS[1:]]}, "from -1e6 to 1e6"),
        ({"keypoints": [10**400, *KEYPOINTS[1:]]}, "from -1e6 to 1e6"),
        ({"keypoints": [1, 2, 3, *KEYPOINTS[3:]]}, "must be 0, 1 or 2, got 3"),
        ({"bbox": [1, 2, 3]}, r"bbox of annotations\[0\] must be a list of 4 numbers"),
        ({"area": "large"}, "area of .* must be a number from 0 to 4294836225, got 'large'"),
        ({"area": -1}, "area of .* got -1"),
        ({"image_id": 99}, "must be the id of an image, got 99"),
        ({"image_id": 0.0}, "image_id of .* must be a whole number from 0"),
        ({"iscrowd": 2}, "iscrowd of .* must be a whole number from 0 to 1, got 2"),
        ({"num_keypoints": 6}, "num_keypoints of .* must be a whole number from 0 to 5, got 6"),
    ],
)
def test_a_wrong_field_of_a_person_is_refused(
    folder: Path, fields: dict[str, Any], message: str
) -> None:
    change(folder, **fields)
    with pytest.raises(DataError, match=message) as caught:
        read_annotations(folder, "train")
    assert str(annotation_file(folder, "train")) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "a/../../b.png", "C:a.png", "..\\a.png", ""]
)
def test_a_file_outside_of_the_folder_is_refused(folder: Path, name: str) -> None:
    rewrite(folder, lambda data: data["images"][0].update(file_name=name))
    with pytest.raises(DataError, match=r"file_name of images\[0\] must be the path of a file in"):
        read_annotations(folder, "train")


def test_missing_images_are_counted_and_the_first_is_named(folder: Path) -> None:
    (folder / "train2017" / "000000000001.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 images .* missing, .*000000000001\.png"):
        read_annotations(folder, "train")


def test_the_file_of_an_image_without_samples_may_be_missing(folder: Path) -> None:
    change(folder, num_keypoints=0)
    (folder / "train2017" / "000000000000.jpg").unlink()
    assert read_annotations(folder, "train").samples.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', "the file must be valid JSON"),
        ("[" * 100_000, "the file must be valid JSON"),
        ("\udcff", "the file must be valid JSON"),
        ("1" * 5000, "the file must be valid JSON"),
        ("[]", "the file must be a JSON object"),
        ("{}", "categories must be a list of objects, got None"),
        (
            '{"categories": [{"name": "person"}]}',
            "categories must have keypoints, got 0",
        ),
        ('{"categories": [{"id": 1, "keypoints": "nose"}]}', "classes must be 1 to"),
        ('{"categories": [{"id": 1, "keypoints": ["a", "a"]}]}', "must all differ, 'a' is there"),
        ('{"categories": [{"id": 1, "keypoints": ["left_a"]}]}', "needs a partner 'right_a'"),
        ('{"categories": [{"id": 1, "keypoints": ["a"]}]}', "images must be a list of objects"),
    ],
)
def test_a_file_of_another_form_is_refused(folder: Path, text: str, message: str) -> None:
    annotation_file(folder, "train").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        read_annotations(folder, "train")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, r"width of images\[1\] must be a whole number from 1 to 65535, got 0"),
        ({"height": None}, r"height of images\[1\] must be a whole number"),
        ({"id": 0}, r"id of images\[1\] must differ from all others, got 0 again"),
    ],
)
def test_a_wrong_field_of_an_image_is_refused(
    folder: Path, fields: dict[str, Any], message: str
) -> None:
    rewrite(folder, lambda data: data["images"][1].update(fields))
    with pytest.raises(DataError, match=message):
        read_annotations(folder, "train")


def test_a_missing_file_names_the_folders_of_coco(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must have annotations/, train2017/ and val2017/"):
        read_annotations(tmp_path, "train")


def test_a_part_without_any_sample_is_refused(folder: Path) -> None:
    rewrite(folder, lambda data: data.update(annotations=[]))
    with pytest.raises(DataError, match="at least one person must have labelled keypoints"):
        read_annotations(folder, "train")


def test_left_and_right_are_partners_in_common_spellings() -> None:
    assert mirrored_joints(COCO_JOINTS)[:5] == (0, 2, 1, 4, 3)
    assert mirrored_joints(["bright", "leftEye", "rightEye"]) == (0, 2, 1)
    assert mirrored_joints(["L_Eye", "R_Eye", "hand.l", "hand.r"]) == (1, 0, 3, 2)
    with pytest.raises(DataError, match="'Left hand' needs a partner 'Right hand'"):
        mirrored_joints(["Left hand", "right hand"])


def test_lines_join_keypoints_of_coco() -> None:
    assert len(skeleton_of(COCO_JOINTS)) == 16
    assert skeleton_of(["right_knee", "tail", "right_ankle"]) == [(0, 2)]


def rewrite(folder: Path, change_data: Any) -> None:
    file = annotation_file(folder, "train")
    data = json.loads(file.read_text())
    change_data(data)
    file.write_text(json.dumps(data))
