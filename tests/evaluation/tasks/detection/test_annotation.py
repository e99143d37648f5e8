"""Annotation files of PASCAL VOC, valid and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from relativenas_optuna.evaluation.tasks.detection.annotation import CLASSES, read_annotation
from relativenas_optuna.exceptions import DataError
from tests.helpers.voc_folder import Shape, annotation_text

SIZE = (100, 50)


def read(folder: Path, text: str | bytes) -> list[tuple[list[float], int, bool]]:
    """Return box, label and difficulty of the objects in a file with this content."""
    path = folder / "000001.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = read_annotation(path, CLASSES, SIZE)
    return [
        *zip(found.boxes.tolist(), found.labels.tolist(), found.difficult.tolist(), strict=True)
    ]


def objects(*shapes: Shape) -> str:
    return annotation_text(shapes, SIZE)


def test_pixels_from_1_become_sides_from_0(tmp_path: Path) -> None:
    text = objects(
        Shape("aeroplane", (1, 1, 100, 50)), Shape("tvmonitor", (11, 21.5, 20, 30.25), difficult=1)
    )
    assert read(tmp_path, text) == [
        ([0, 0, 100, 50], 1, False),
        ([10, 20.5, 20, 30.25], 20, True),
    ]


def test_an_image_may_have_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "empty.xml"
    path.write_text(objects())
    found = read_annotation(path, CLASSES, SIZE)
    assert (len(found), found.boxes.shape, found.labels.dtype) == (0, (0, 4), torch.int64)


def test_boxes_of_parts_of_an_object_do_not_count(tmp_path: Path) -> None:
    part = "<part><name>head</name><bndbox><xmin>3</xmin></bndbox></part></object>"
    text = objects(Shape("person", (5, 5, 20, 20))).replace("</object>", part)
    assert read(tmp_path, text) == [([4, 4, 20, 20], 15, False)]


def test_an_object_without_the_field_is_not_difficult(tmp_path: Path) -> None:
    text = objects(Shape("cat", (5, 5, 20, 20))).replace("<difficult>0</difficult>", "")
    assert read(tmp_path, text) == [([4, 4, 20, 20], 8, False)]


def test_a_box_is_cut_to_its_image(tmp_path: Path) -> None:
    text = objects(Shape("dog", (-9, 0, 30, 1e300)))
    assert read(tmp_path, text) == [([0, 0, 30, 50], 12, False)]


CAT = objects(Shape("cat", (5, 5, 20, 20)))
ENTITY = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no XML: no element found"),
        (CAT[:100], "is no XML: unclosed token"),
        (CAT.replace("</name>", ""), "is no XML: mismatched tag"),
        (b"\xff\xd8\xff\xe0 an image", "is no XML: not well-formed"),
        ('<?xml version="1.0" encoding="none"?><a/>', "is no XML: unknown encoding"),
        (f"{ENTITY}{CAT}", "must have no document type and no entities"),
        ((ENTITY + CAT).encode("utf-16"), "must have no document type and no entities"),
        (b" " * 2**20 + CAT.encode(), "must have at most 1,048,576 bytes"),
        (
            CAT.replace("cat", "dragon"),
            r"object 1 has class 'dragon', which is not among the 20 classes \(aeroplane, bicycle, "
            r"bird, boat, bottle and 15 more\); correct it, or list all classes in",
        ),
        (CAT.replace("<name>cat</name>", ""), "object 1 has class ''"),
        (CAT.replace("<difficult>0", "<difficult>maybe"), "must have difficult 0 or 1, got 'may"),
        (CAT.replace("bndbox", "polygon"), r"object 1 \(cat\) has no bndbox"),
        (CAT.replace("<xmax>20", "<xmax>"), "must have a number of pixels as xmax, got ''"),
        (CAT.replace("<ymin>5", "<ymin>nan"), "must have a number of pixels as ymin, got 'nan'"),
        (
            objects(Shape("dog", (5, 5, 20, 20)), Shape("cat", (5, 20, 20, 18))),
            r"object 2 \(cat\) has no area in its image of 100x50 pixels: xmin 5, ymin 20, xmax "
            r"20, ymax 18",
        ),
        (objects(Shape("cat", (101, 5, 120, 20))), "has no area in its image"),
        (objects(Shape("cat", (-20, 5, 0, 20))), "has no area in its image"),
    ],
)
def test_a_broken_annotation_is_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"annotation '{tmp_path / '000001.xml'}'")
    assert "\n" not in str(caught.value)


def test_a_missing_annotation_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"9\.xml' cannot be read: No such file or directory"):
        read_annotation(tmp_path / "9.xml", CLASSES, SIZE)
