"""Crops of persons: pixels and keypoints of samples, and images that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relativenas_optuna.evaluation.tasks.keypoints.annotations import read_annotations
from relativenas_optuna.evaluation.tasks.keypoints.crop import move
from relativenas_optuna.evaluation.tasks.keypoints.records import PersonRecords
from relativenas_optuna.training import DataError
from relativenas_optuna.training.data.file_batches import keyed_randomness
from tests.helpers.stick_figures import change, write_coco

RED, LIME, BLUE = 0, 1, 2
CHANNEL = {"head": RED, "left_hand": LIME, "right_hand": LIME, "left_foot": BLUE}
"""The colour of the joints of figures."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_coco(tmp_path, train=2, val=0)


def records(folder: Path, size: tuple[int, int] = (128, 96), flip: bool = True) -> PersonRecords:
    return PersonRecords(annotations=read_annotations(folder, "train"), size=size, flip=flip)


def test_the_crop_for_evaluation_holds_the_whole_person(folder: Path) -> None:
    found = records(folder)
    assert len(found) == 3
    for index in range(3):
        image, target = found.read(index, augment=False)
        assert image.shape == (3, 128, 96)
        assert image.dtype == torch.uint8
        assert target["person"] == index
        assert target["joints"][:, 2].tolist() == [1.0] * 5
        person = found.annotations.samples[index]
        points = move(target["joints"][:, :2].double().numpy(), found.affine(index))
        np.testing.assert_allclose(points, found.annotations.keypoints[person, :, :2], atol=1e-3)


def test_keypoints_of_random_crops_are_on_their_colours(folder: Path) -> None:
    found = records(folder)
    for seed in range(8):
        with keyed_randomness(seed, 0):
            image, target = found.read(0, augment=True)
        joints = dict(zip(found.annotations.joints, target["joints"].tolist(), strict=True))
        for name, channel in CHANNEL.items():
            x, y, used = joints[name]
            if used:
                colour = image[:, int(y), int(x)].tolist()
                assert colour.index(max(colour)) == channel


def test_left_stays_left_of_the_person_in_mirrored_and_turned_crops(folder: Path) -> None:
    """Seen from head to feet, the left hand is always on the same side of the right hand."""
    found = records(folder)
    sides = set()
    for seed in range(12):
        with keyed_randomness(seed, 0):
            _, target = found.read(0, augment=True)
        head, left_hand, right_hand, left_foot, right_foot = target["joints"].tolist()
        if all(joint[2] for joint in (head, left_hand, right_hand, left_foot, right_foot)):
            down = [(left_foot[i] + right_foot[i]) / 2 - head[i] for i in range(2)]
            left = [left_hand[i] - right_hand[i] for i in range(2)]
            sides.add(down[0] * left[1] - down[1] * left[0] < 0)
    assert sides == {True}


def test_random_crops_depend_on_torchs_generator_only(folder: Path) -> None:
    crops = []
    for seed in (5, 5, 6):
        with keyed_randomness(seed, 1):
            crops.append(records(folder).read(1, augment=True))
    assert torch.equal(crops[0][0], crops[1][0])
    assert torch.equal(crops[0][1]["joints"], crops[1][1]["joints"])
    assert not torch.equal(crops[0][0], crops[2][0])


def test_grey_images_become_colour_images(folder: Path) -> None:
    file = folder / "train2017" / "000000000001.png"
    grey = Image.open(file).convert("L")
    grey.save(file)
    image, _ = records(folder).read(1, augment=False)
    assert image.shape == (3, 128, 96)
    assert torch.equal(image[0], image[2])


def test_a_keypoint_outside_of_the_image_is_not_trained_on(folder: Path) -> None:
    change(folder, keypoints=[-9, 5, 2, 30, 20, 2, 30, 40, 2, 25, 40, 2, 20, 9000, 2])
    _, target = records(folder).read(0, augment=False)
    assert target["joints"][0].tolist() == target["joints"][4].tolist() == [0, 0, 0]
    assert records(folder).annotations.keypoints[0, 0].tolist() == [-8.5, 5.5, 2]  # is kept


def test_an_image_of_another_size_than_annotated_is_refused(folder: Path) -> None:
    file = folder / "train2017" / "000000000001.png"
    Image.new("RGB", (50, 60)).save(file)
    with pytest.raises(DataError, match=r"000000000001\.png' must have the size .*; got 50x60"):
        records(folder).read(1, augment=False)


def test_a_damaged_image_is_refused(folder: Path) -> None:
    (folder / "train2017" / "000000000001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"000000000001\.png' cannot be read"):
        records(folder).read(2, augment=False)


def test_the_fingerprint_changes_with_annotations_and_not_with_the_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = write_coco(tmp_path_factory.mktemp("other"), train=2, val=0)
    assert records(folder).fingerprint() == records(other).fingerprint()
    assert records(folder).fingerprint() != records(folder, flip=False).fingerprint()
    change(other, bbox=[1, 1, 40, 50])
    assert records(folder).fingerprint() != records(other).fingerprint()
