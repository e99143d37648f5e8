"""Folders of PASCAL VOC: parts, years, classes, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from relativenas_optuna.evaluation.tasks.detection.annotation import CLASSES
from relativenas_optuna.evaluation.tasks.detection.voc import VOCRecords, read_voc
from relativenas_optuna.exceptions import DataError
from tests.helpers.voc_folder import Shape, add_image, annotation_text, write_voc

GREY = Image.new("L", (60, 40), 128)
CAT = Shape("cat", (11, 11, 40, 30))


def records(
    folder: Path, *, train: bool = True, classes: tuple[str, ...] | None = None
) -> VOCRecords:
    found = read_voc(folder, train=train, side=32, flip=True, classes=classes)
    assert found is not None
    return found[0]


def test_the_union_of_the_years_is_trained_on(tmp_path: Path) -> None:
    for year in ("VOC2012", "VOC2007"):
        for number in range(2):
            add_image(tmp_path / year, f"{number}", [CAT], GREY)
    expected = ["VOC2007/0", "VOC2007/1", "VOC2012/0", "VOC2012/1"]
    assert list(records(tmp_path).names) == expected
    assert read_voc(tmp_path, train=False, side=32, flip=True) is None
    assert list(records(tmp_path / "VOC2012").names) == expected[2:]


def test_the_folder_may_hold_voc_devkit(tmp_path: Path) -> None:
    devkit = write_voc(tmp_path / "VOCdevkit", training=3, test=2)
    for folder in (tmp_path, devkit):
        assert (len(records(folder)), len(records(folder, train=False))) == (3, 2)


def test_a_year_whose_test_annotations_are_not_public_has_no_test_part(tmp_path: Path) -> None:
    add_image(tmp_path / "VOC2007", "7", [CAT], GREY, "test")
    add_image(tmp_path / "VOC2012", "12", [CAT], GREY, "test")
    (tmp_path / "VOC2012" / "Annotations" / "12.xml").unlink()
    assert list(records(tmp_path, train=False).names) == ["VOC2007/7"]


def test_classes_are_those_of_voc_or_of_a_file(tmp_path: Path) -> None:
    add_image(tmp_path / "VOC2007", "1", [CAT], GREY)
    found = read_voc(tmp_path, train=True, side=32, flip=True)
    assert found is not None
    assert (found[1], found[0].annotations[0].labels.tolist()) == (CLASSES, [8])
    (tmp_path / "classes.txt").write_text("dog\r\n\n cat \n", encoding="utf-8-sig")
    found = read_voc(tmp_path, train=True, side=32, flip=True)
    assert found is not None
    assert (found[1], found[0].annotations[0].labels.tolist()) == (("dog", "cat"), [2])
    assert records(tmp_path, classes=("cat",)).annotations[0].labels.tolist() == [1]


def read(folder: Path, *, augment: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Read the only image of a folder."""
    return records(folder).read(0, augment=augment)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "CMYK"])
def test_images_of_all_modes_and_sizes_become_square_rgb(tmp_path: Path, mode: str) -> None:
    add_image(tmp_path / "VOC2007", "1", [CAT], GREY)
    target = tmp_path / "VOC2007" / "JPEGImages" / "1"
    ending = "jpg" if mode in ("L", "RGB", "CMYK") else "png"
    target.with_suffix(".jpg").unlink()
    GREY.convert("RGB").convert(mode).save(target.with_suffix(f".{ending}"))
    image, objects = read(tmp_path, augment=False)
    assert (image.dtype, image.shape) == (torch.uint8, (3, 32, 32))
    # 60x40 pixels become 32x32.
    expected = torch.tensor([[10 * 32 / 60, 10 * 32 / 40, 40 * 32 / 60, 30 * 32 / 40]])
    torch.testing.assert_close(objects["boxes"], expected)
    image, _ = read(tmp_path, augment=True)
    assert (image.dtype, image.shape) == (torch.uint8, (3, 32, 32))


def test_boxes_are_in_pixels_of_an_image_as_it_is_shown(tmp_path: Path) -> None:
    add_image(tmp_path / "VOC2007", "1", [Shape("cat", (1, 1, 40, 60))], GREY)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    GREY.save(tmp_path / "VOC2007" / "JPEGImages" / "1.jpg", exif=exif)
    assert read(tmp_path, augment=False)[1]["boxes"].tolist() == [[0, 0, 32, 32]]


def test_difficult_objects_are_measured_and_not_trained_on(tmp_path: Path) -> None:
    hard = Shape("dog", (1, 1, 60, 40), difficult=1)
    add_image(tmp_path / "VOC2007", "1", [hard], GREY)
    _, objects = read(tmp_path, augment=False)
    assert (objects["labels"].tolist(), objects["difficult"].tolist()) == ([12], [True])
    _, objects = read(tmp_path, augment=True)
    assert (objects["boxes"].shape, objects["labels"].tolist()) == ((0, 4), [])
    assert set(objects) == {"boxes", "labels"}


def test_an_image_without_objects_is_trained_on(tmp_path: Path) -> None:
    add_image(tmp_path / "VOC2007", "1", [], GREY)
    for augment in (True, False):
        _, objects = read(tmp_path, augment=augment)
        assert (objects["boxes"].shape, objects["boxes"].dtype) == ((0, 4), torch.float32)


def test_the_fingerprint_changes_with_the_objects_and_not_with_the_place(tmp_path: Path) -> None:
    devkit = write_voc(tmp_path / "a")
    shutil.copytree(devkit, tmp_path / "b")
    first = records(devkit).fingerprint()
    assert records(tmp_path / "b").fingerprint() == first
    other = tmp_path / "b" / "VOC2007" / "Annotations" / "000000.xml"
    other.write_text(annotation_text([Shape("disc", (1, 1, 9, 9))], (80, 80)))
    assert records(tmp_path / "b").fingerprint() != first


def write(text: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text.encode() if isinstance(text, str) else text)


LIST = "VOC2007/ImageSets/Main/trainval.txt"


@pytest.mark.parametrize(
    ("path", "change", "reason"),
    [
        ("VOC2007", shutil.rmtree, "must have a folder VOC2007, VOC2012 or the like with Annot"),
        (LIST, Path.unlink, r"has no training images; list their names in '.*trainval\.txt'"),
        (LIST, write("\n\n"), "has no training images"),
        (LIST, write("../../1\n"), r"must list names of images in JPEGImages .* '\.\./\.\./1'"),
        (LIST, write(b"\xff\xfe1"), r"trainval\.txt' must be a UTF-8 text"),
        ("VOC2007/JPEGImages/1.jpg", Path.unlink, r"JPEGImages/1' is missing with the ending \.jp"),
        ("VOC2007/JPEGImages/1.jpg", write("text"), r"1\.jpg' cannot be read: it is no image"),
        ("VOC2007/Annotations/1.xml", Path.unlink, r"1\.xml' cannot be read: No such file"),
        ("classes.txt", write("dog\n"), r"has class 'cat', which is not among the 1 classes \(dog"),
        ("classes.txt", write("cat\ncat\n"), r"classes\.txt': classes must all differ, 'cat'"),
        ("classes.txt", write("\n"), r"classes\.txt': classes must be 1 to "),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    tmp_path: Path, path: str, change: Callable[[Path], object], reason: str
) -> None:
    add_image(tmp_path / "VOC2007", "1", [CAT], GREY)
    change(tmp_path / path)
    with pytest.raises(DataError, match=reason) as caught:
        records(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing' cannot be read: No such file or directory"):
        records(tmp_path / "missing")


def test_all_broken_files_are_counted_and_the_first_named(tmp_path: Path) -> None:
    for number in range(8):
        add_image(tmp_path / "VOC2007", f"{number}", [CAT], GREY)
        if number > 0:
            (tmp_path / "VOC2007" / "Annotations" / f"{number}.xml").write_text("<a>")
    with pytest.raises(DataError, match=r"1\.xml' is no XML.*5\.xml' is.*; and 2 more faults$"):
        records(tmp_path)
