"""Test the reading of segmentation data: Cityscapes, plain folders, and bad input."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.evaluation.tasks.segmentation.task import SEGMENTATION
from relativenas_optuna.exceptions import DataError
from tests.helpers.masks import HEIGHT, WIDTH, write_cityscapes, write_plain

RECIPE = replace(SEGMENTATION.recipe, size=32)
ROAD, SKY, CAR = 0, 10, 13  # train ids


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cityscapes(tmp_path_factory.mktemp("cityscapes"), train=3, val=2)


def samples(folder: Path, *, train: bool = True) -> Samples:
    found = SEGMENTATION.load(str(folder), RECIPE, train=train)
    assert found is not None
    return found


def read_all(folder: Path) -> None:
    list(samples(folder).batches(4))


def test_cityscapes_has_19_classes_and_ignores_other_ids(street: Path) -> None:
    training = samples(street)
    assert len(training) == 3
    assert len(training.classes) == 19
    assert training.classes[:2] == ("road", "sidewalk")
    ((images, masks),) = samples(street, train=False).batches(2)
    assert images.shape == (2, 3, HEIGHT, WIDTH)
    assert set(masks.unique().tolist()) == {ROAD, SKY, CAR, 255}
    assert (masks[:, :2] == 255).all()
    assert (masks[:, -1] != SKY).all()


def test_crops_have_the_size_of_the_recipe_and_image_and_mask_move_together(street: Path) -> None:
    training = samples(street)
    first, again = (list(training.pieces([torch.arange(3)], 7)) for _ in range(2))
    (images, masks), (same, too) = first[0], again[0]
    assert images.shape == (3, 3, 32, 32)
    assert torch.equal(images, same)
    assert torch.equal(masks, too)
    red = images[:, 0] - images[:, 1]  # cars are red, skies are blue
    assert red[masks == CAR].mean() > 1
    assert red[masks == SKY].mean() < 0


def test_an_image_smaller_than_the_crop_gets_a_border_that_is_ignored(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "data", 1)
    training = SEGMENTATION.load(str(folder), replace(RECIPE, size=192), train=True)
    assert training is not None
    ((_, masks),) = training.pieces([torch.arange(1)], 0)
    assert masks.shape == (1, 192, 192)
    assert (masks[0, 0] == 255).all()


def test_a_plain_folder_names_its_classes_and_may_have_a_test_part(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "data")
    training = samples(folder)
    assert (len(training), training.classes) == (4, ("sky", "road", "car"))
    assert SEGMENTATION.load(str(folder), RECIPE, train=False) is None
    parts = tmp_path / "parts"
    for part in ("train", "val"):
        shutil.copytree(folder, parts / part)
    shutil.copy(folder / "classes.txt", parts)
    assert len(samples(parts)) == len(samples(parts, train=False)) == 4
    shutil.copytree(parts / "val", folder / "val")
    assert len(samples(folder, train=False)) == 4


def test_images_of_other_sizes_and_grey_images_are_read(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "data")
    for part, mode in (("images", "L"), ("masks", "L")):
        (path,) = (folder / part).glob("1.*")
        Image.open(path).convert(mode).crop((0, 0, 40, 36)).save(path)
    shapes = [tuple(images.shape) for images, _ in samples(folder).batches(4)]
    assert shapes == [(1, 3, HEIGHT, WIDTH), (1, 3, 36, 40), (2, 3, HEIGHT, WIDTH)]
    ((images, _),) = samples(folder).pieces([torch.arange(4)], 0)
    assert images.shape == (4, 3, 32, 32)


def shrink_mask(folder: Path) -> None:
    path = folder / "masks" / "1.png"
    Image.open(path).resize((20, 40), Image.Resampling.NEAREST).save(path)


def colour_mask(folder: Path) -> None:
    path = folder / "masks" / "1.png"
    Image.open(path).convert("RGB").save(path)


def unknown_label(folder: Path) -> None:
    path = folder / "masks" / "1.png"
    mask = np.array(Image.open(path))
    mask[3, 5] = 77
    Image.fromarray(mask).save(path)


def cut_image(folder: Path) -> None:
    path = folder / "images" / "1.jpg"
    path.write_bytes(path.read_bytes()[:200])


def tiny_image(folder: Path) -> None:
    for path in (folder / "images" / "1.jpg", folder / "masks" / "1.png"):
        Image.open(path).resize((20, 40), Image.Resampling.NEAREST).save(path)


def no_mask(folder: Path) -> None:
    (folder / "masks" / "1.png").unlink()


def no_names(folder: Path) -> None:
    (folder / "classes.txt").unlink()


def same_names(folder: Path) -> None:
    (folder / "classes.txt").write_text("sky\nsky\n")


def no_images(folder: Path) -> None:
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()


def same_image_names(folder: Path) -> None:
    shutil.copy(folder / "images" / "1.jpg", folder / "images" / "1.jpeg")


def same_mask_names(folder: Path) -> None:
    shutil.copy(folder / "masks" / "1.png", folder / "masks" / "1.bmp")


def other_folder(folder: Path) -> None:
    shutil.rmtree(folder / "images")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shrink_mask, r"mask '.*1.png' has 20x40 pixels, but image '.*1.jpg' has 80x48"),
        (colour_mask, r"mask '.*1.png' cannot be read: its mode is RGB, and must be 8-bit grey"),
        (unknown_label, r"mask '.*1.png' has the unknown label id 77"),
        (cut_image, r"image '.*1.jpg' cannot be read: "),
        (tiny_image, r"at least 32x32 pixels, '.*1.jpg' has 20x40"),
        (no_mask, r"1 images have no mask; add or remove them: '.*1.jpg'"),
        (no_names, r"names of the classes are missing: write '.*classes.txt' with one name in a"),
        (same_names, r"classes\.txt': classes must all differ, 'sky' is"),
        (no_images, r"there are no images for segmentation in '"),
        (same_image_names, r"without their endings; got '1.jpeg' and '1.jpg': rename or remove"),
        (same_mask_names, r"without their endings; got '1.bmp' and '1.png': rename or remove one"),
        (other_folder, r"holds neither Cityscapes \(folders leftImg8bit and gtFine\) nor folders"),
    ],
)
def test_bad_input_is_one_clear_line(
    damage: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = write_plain(tmp_path / "data")
    damage(folder)
    with pytest.raises(DataError, match=said) as caught:
        read_all(folder)
    assert "\n" not in str(caught.value)


def test_cityscapes_without_labels_is_answered_with_the_missing_folder(
    street: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(street, tmp_path / "data")
    shutil.rmtree(folder / "gtFine" / "val")
    with pytest.raises(DataError, match="lacks the folder gtFine/val"):
        samples(folder, train=False)
    shutil.rmtree(folder / "leftImg8bit" / "val")
    assert SEGMENTATION.load(str(folder), RECIPE, train=False) is None
    assert len(samples(folder)) == len(samples(street))


def test_a_size_that_the_backbone_cannot_halve_is_refused(street: Path) -> None:
    with pytest.raises(ValueError, match=r"size must be a multiple of 32 pixels .*; got 40"):
        SEGMENTATION.load(str(street), replace(RECIPE, size=40), train=True)


def test_other_classes_than_those_of_a_network_are_refused(street: Path) -> None:
    with pytest.raises(DataError, match=r"classes of the network; they differ in 'bicycle'"):
        SEGMENTATION.load(str(street), RECIPE, train=False, classes=("road", "car"))


def test_the_fingerprint_follows_the_content_and_not_the_path(street: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(street, tmp_path / "data")
    assert samples(folder).fingerprint() == samples(street).fingerprint()
    other = next((folder / "leftImg8bit" / "train" / "aachen").iterdir())
    Image.new("RGB", (WIDTH, HEIGHT)).save(other)
    assert samples(folder).fingerprint() != samples(street).fingerprint()
