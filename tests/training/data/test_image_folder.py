"""Test which files of a folder are images, and their classes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from relativenas_optuna.training import DataError, load_images
from relativenas_optuna.training.data.image_parts import find_parts, has_part, list_part
from relativenas_optuna.training.data.image_tree import entries_of
from tests.training.data.test_folder import draw, refusal


def fill(root: Path, *folders: str, count: int = 2) -> Path:
    """Write images into each of the folders."""
    for folder in folders:
        for number in range(count):
            draw(root / folder / f"{number}.png", 4, 4, seed=number)
    return root


def counts(root: Path) -> dict[str, int]:
    """Number of training images of every class."""
    images, _ = list_part(root, True)
    numbers = np.bincount(images.labels, minlength=len(images.classes))
    return dict(zip(images.classes, numbers.tolist(), strict=True))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return fill(tmp_path / "pets", "cat", "dog")


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "__MACOSX", "@eaDir", "$RECYCLE.BIN", ".Trash/files"]
)
def test_hidden_and_system_folders_are_left_out_anywhere(pets: Path, name: str) -> None:
    fill(pets, name, f"cat/{name}", f"dog/deep/{name}")
    fill(pets, "dog/deep")
    assert counts(pets) == {"cat": 2, "dog": 4}


@pytest.mark.parametrize("name", ["._0.png", "Thumbs.db", "desktop.ini", "labels.csv", "a.txt"])
def test_hidden_system_and_text_files_are_left_out_without_a_word(pets: Path, name: str) -> None:
    (pets / "cat" / name).write_bytes(b"no image")
    assert counts(pets) == {"cat": 2, "dog": 2}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jfif", "JPEG"),
        ("a.JPE", "JPEG"),
        ("a.gif", "GIF"),
        ("a.avif", "AVIF"),
        ("a.jp2", "JPEG2000"),
        ("a", "PNG"),
        ("n0208.7", "JPEG"),
        ("subject01.glasses", "GIF"),
        ("a.jpg?width=300", "WEBP"),
        ("b", "AVIF"),
        ("c", "BMP"),
        ("d", "JPEG2000"),
        ("e", "TIFF"),
    ],
)
def test_an_image_is_known_by_its_ending_or_its_content(pets: Path, name: str, kind: str) -> None:
    Image.effect_noise((4, 4), 9).save(pets / "cat" / name, kind)
    assert counts(pets) == {"cat": 3, "dog": 2}
    assert len(load_images(pets)) == 5


def test_files_that_may_be_meant_as_images_are_said_to_be_left_out(pets: Path) -> None:
    for name in ("1.heic", "2.HEIC", "film.mp4", "notes"):
        (pets / "dog" / name).write_bytes(bytes(40))
    (pets / "dog" / "0.png.part").write_bytes((pets / "dog" / "0.png").read_bytes())
    os.mkfifo(pets / "dog" / "pipe.png")
    draw(pets / "loose.png", 4, 4)
    with pytest.warns(UserWarning, match=r"left out: 6 \(2 \.heic.*images directly in"):
        assert counts(pets) == {"cat": 2, "dog": 2}


def test_an_empty_class_says_what_it_holds(pets: Path) -> None:
    (pets / "emu").mkdir()
    (pets / "emu" / "1.heic").write_bytes(bytes(40))
    assert "have no images: 'emu'" in refusal(pets)
    assert "1 .heic" in refusal(pets)


@pytest.mark.parametrize("target", [".", "..", "../..", "../../..", "../dog", "deep"])
def test_a_link_to_a_folder_that_is_read_already_is_left_out(pets: Path, target: str) -> None:
    fill(pets, "cat/deep", count=1)
    (pets / "cat" / "latest").symlink_to(target)
    with pytest.warns(
        UserWarning, match="links to folders and files that are read already .*latest"
    ):
        assert counts(pets) == {"cat": 3, "dog": 2}


def test_links_to_images_and_folders_elsewhere_are_followed_once(tmp_path: Path) -> None:
    store = fill(tmp_path / "store", "fox", "owl", "more")
    root = fill(tmp_path / "root", "cat")
    (root / "fox").symlink_to(store / "fox")
    (root / "cat" / "more").symlink_to(store / "more")
    (root / "cat" / "owl.png").symlink_to(store / "owl" / "0.png")
    assert counts(root) == {"cat": 5, "fox": 2}
    (root / "cat" / "same.png").symlink_to(store / "owl" / "0.png")
    (store / "more" / "up").symlink_to(root)
    with pytest.warns(UserWarning, match="read already"):
        assert counts(root) == {"cat": 5, "fox": 2}


@pytest.mark.parametrize("target", [".", "..", "../pets"])
def test_a_link_up_beside_the_classes_is_no_class(pets: Path, target: str) -> None:
    (pets / "all").symlink_to(target)
    with pytest.warns(UserWarning, match=r"left out: .*all'"):
        assert counts(pets) == {"cat": 2, "dog": 2}


def test_one_image_in_two_classes_is_refused(pets: Path) -> None:
    (pets / "cat" / "x.png").symlink_to(pets / "dog" / "0.png")
    assert "are one image in two classes" in refusal(pets)


def test_a_class_that_is_a_link_to_another_is_refused(pets: Path) -> None:
    (pets / "kitty").symlink_to("cat")
    assert "have no images: 'kitty'" in refusal(pets)


def test_links_to_nothing_and_to_themselves_are_images_that_cannot_be_read(pets: Path) -> None:
    (pets / "cat" / "gone.jpg").symlink_to("nowhere")
    (pets / "cat" / "self.png").symlink_to("self.png")
    (pets / "self").symlink_to("self")
    assert "2 images cannot be read" in refusal(pets)


PARTED = [
    ("Train", "Test"),
    ("training", "testing"),
    ("TRAIN", "VAL"),
    ("train_images", "test_images"),
    ("images-train", "images-test"),
    ("training_set", "test_set"),
    ("trainset", "testset"),
    ("seg_train", "seg_test"),
    ("train2017", "val2017"),
    ("train", "valid"),
    ("train", "test", "pred"),
]


@pytest.mark.parametrize("parts", PARTED, ids=" ".join)
def test_parts_are_known_by_their_names(tmp_path: Path, parts: tuple[str, ...]) -> None:
    fill(tmp_path, *(f"{part}/{name}" for part in parts[:2] for name in ("cat", "dog")))
    (tmp_path / "models").mkdir()
    (tmp_path / parts[-1]).mkdir(exist_ok=True)
    found = find_parts(tmp_path)
    assert found.training == tmp_path / parts[0]
    assert found.test == tmp_path / parts[1]
    assert load_images(tmp_path, train=False).classes == ("cat", "dog")


@pytest.mark.parametrize(
    "names",
    [
        ("bus", "car", "train"),
        ("train", "tram"),
        ("train_day", "train_night"),
        ("positive_test", "negative_test"),
        ("test", "control"),
        ("valid", "invalid"),
        ("trainer", "tester"),
        ("labeled", "unlabeled"),
    ],
    ids=" ".join,
)
def test_classes_that_are_called_like_parts_are_classes(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    fill(tmp_path, *names)
    assert set(counts(tmp_path)) == set(names)


def test_a_class_called_train_with_sub_folders_is_said_to_be_one(tmp_path: Path) -> None:
    fill(tmp_path, "bus", "car", "train/day", "train/night")
    with pytest.warns(UserWarning, match="'train' is taken for a class, as is 'bus', 'car'"):
        assert counts(tmp_path) == {"bus": 2, "car": 2, "train": 4}


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "test"),
        ("Train/cat", "Train/dog", "test_images/cat", "test_images/dog"),
        ("test/cat", "test/dog", "val/cat", "val/dog"),
        ("train/cat", "Train/cat", "test/cat"),
        ("train_a/cat", "test_a/cat", "train_b/cat", "test_b/cat"),
    ],
    ids=" ".join,
)
def test_what_may_be_parts_or_classes_is_refused(tmp_path: Path, folders: tuple[str, ...]) -> None:
    fill(tmp_path, *folders)
    assert "parts" in refusal(tmp_path)
    assert not has_part(tmp_path, True)


def test_what_lies_beside_the_parts_is_said_to_be_unused(tmp_path: Path) -> None:
    classes = [f"{part}/{name}" for part in ("train", "val", "test") for name in ("cat", "dog")]
    fill(tmp_path, *classes, "extra", "pred")
    with pytest.warns(UserWarning, match="'extra', 'pred' beside 'train' are not used"):
        assert counts(tmp_path) == {"cat": 2, "dog": 2}
    with pytest.warns(UserWarning, match="'val' is not used: 'test' has the test images"):
        list_part(tmp_path, False)


def test_test_images_without_classes_are_no_test_part(tmp_path: Path) -> None:
    fill(tmp_path, "train/cat", "train/dog", "test")
    assert not has_part(tmp_path, False)
    with pytest.warns(UserWarning, match="'test' beside 'train' are not used"):
        assert counts(tmp_path) == {"cat": 2, "dog": 2}


def test_test_images_that_are_the_training_images_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "train/cat", "train/dog")
    (tmp_path / "test").symlink_to("train")
    assert "must not be the same" in refusal(tmp_path, train=False)


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\tb", b"a\nb", b"\xe2\x80\xa8"])
def test_a_class_name_that_no_network_file_holds_is_refused(pets: Path, name: bytes) -> None:
    (pets / os.fsdecode(name)).mkdir()
    assert "rename a class folder" in refusal(pets)


def test_names_of_classes_are_the_same_however_accents_are_stored(tmp_path: Path) -> None:
    fill(tmp_path, "train/caf\u00e9", "train/tea", "test/cafe\u0301", "test/tea")
    assert load_images(tmp_path, train=False).classes == ("caf\u00e9", "tea")
    fill(tmp_path, "train/cafe\u0301")
    assert "is there twice" in refusal(tmp_path)


def test_one_level_too_high_is_said(pets: Path) -> None:
    assert f"did you mean '{pets}'?" in refusal(pets.parent)
    fill(pets.parent, "fold2/cat", "fold2/dog")
    with pytest.warns(UserWarning, match="every class folder has the same sub-folders, 'cat'"):
        assert set(counts(pets.parent)) == {"pets", "fold2"}


def test_a_folder_that_cannot_be_read_is_refused_rather_than_left_out(pets: Path) -> None:
    path = str(pets / "cat" / "gone")
    with pytest.raises(DataError, match=f"folder '{path}' cannot be read: No such file"):
        entries_of(path)
