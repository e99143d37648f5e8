from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms.v2 import functional

from relativenas_optuna.training import DataError, load_images


def draw(path: Path, width: int = 8, height: int = 8, mode: str = "RGB", seed: int = 0) -> Path:
    """Write an image of random pixels, in the format of its name."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three images."""
    for number in range(6):
        draw(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png", seed=number)
    return tmp_path / "pets"


def test_images_equal_those_of_image_folder(folder: Path) -> None:
    draw(folder / "dog" / "nested" / "grey.jpg", mode="L")
    images = load_images(folder)
    oracle = ImageFolder(str(folder))
    assert images.classes == tuple(oracle.classes) == ("cat", "dog")
    assert images.labels.tolist() == oracle.targets
    for image, (reference, _) in zip(images.images, oracle, strict=True):
        torch.testing.assert_close(image, functional.pil_to_tensor(reference), rtol=0, atol=0)


def test_many_images_keep_their_order(tmp_path: Path) -> None:
    for number in range(200):
        draw(tmp_path / f"class{number % 2}" / f"{number:03d}.png", 2, 2, seed=number)
    images = load_images(tmp_path)
    oracle = ImageFolder(str(tmp_path))
    reference = torch.stack([functional.pil_to_tensor(image) for image, _ in oracle])
    assert torch.equal(images.images, reference)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_size_resizes_the_shorter_side_and_crops_the_centre(folder: Path, name: str) -> None:
    for kind in ("cat", "dog"):
        Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 50).save(folder / kind / name)
    images = load_images(folder, size=16).images
    assert images.shape == (8, 3, 16, 16)
    with Image.open(folder / "cat" / name) as image:
        small = functional.resize(image.convert("RGB"), [16], antialias=True)
        reference = functional.pil_to_tensor(functional.center_crop(small, [16, 16]))
    position = sorted(path.name for path in (folder / "cat").iterdir()).index(name)
    difference = (images[position].int() - reference.int()).abs().float()
    assert difference.mean() < 3


def test_statistics_are_those_of_the_training_images_for_the_test_ones_too(
    tmp_path: Path,
) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for number in range(count):
            for kind in ("cat", "dog"):
                draw(tmp_path / part / kind / f"{number}.png", seed=number + 10 * count)
    train, test = load_images(tmp_path), load_images(tmp_path, train=False)
    assert (len(train), len(test)) == (6, 4)
    values = train.images.double() / 255
    assert train.mean == pytest.approx(values.mean((0, 2, 3)).tolist())
    assert train.std == pytest.approx(values.std((0, 2, 3), correction=0).tolist())
    assert (test.mean, test.std) == (train.mean, train.std)


def test_val_holds_the_test_images_where_there_is_no_test_folder(tmp_path: Path) -> None:
    for part in ("train", "val"):
        draw(tmp_path / part / "cat" / "0.png")
        draw(tmp_path / part / "dog" / "0.png")
    assert len(load_images(tmp_path, train=False)) == 2


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_images_of_any_8_bit_mode_become_rgb(folder: Path, mode: str) -> None:
    draw(folder / "cat" / "9.tif", mode=mode)
    assert load_images(folder).images.shape == (7, 3, 8, 8)


def test_a_image_is_turned_as_its_exif_says(folder: Path) -> None:
    image = Image.new("RGB", (8, 8))
    image.paste((255, 255, 255), (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(folder / "cat" / "9.png", exif=exif)
    assert load_images(folder).images[3, 0, :, 0].tolist() == [0] * 4 + [255] * 4


def refusal(source: str | Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_images(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"folder '{tmp_path / 'none'}' does not exist"


def test_a_file_is_refused(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png")
    assert refusal(path) == f"'{path}' is a file; give a folder with one sub-folder per class"


def test_an_empty_class_is_refused_by_name(folder: Path) -> None:
    (folder / "emu").mkdir()
    (folder / "fox").mkdir()
    assert "have no images: 'emu', 'fox'" in refusal(folder)


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "0.png")
    assert refusal(tmp_path).endswith("at least 2 classes, found one ('cat')")


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "0.png")
    assert "at least 2 classes, found none; images directly in the" in refusal(tmp_path)


def test_a_truncated_image_is_refused_by_name(folder: Path) -> None:
    path = draw(folder / "dog" / "cut.jpg", 64, 64)
    path.write_bytes(path.read_bytes()[:-900])
    assert f"image '{path}' cannot be read: " in refusal(folder, size=8)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(20), b"text"])
def test_a_file_that_is_no_image_is_refused_by_name(folder: Path, content: bytes) -> None:
    path = folder / "dog" / "bad.png"
    path.write_bytes(content)
    assert f"image '{path}' cannot be read: " in refusal(folder)


def test_all_damaged_images_are_counted_and_the_first_are_named(folder: Path) -> None:
    whole = draw(folder / "cat" / "00.jpg", 64, 64).read_bytes()
    for number in range(12):
        (folder / "dog" / f"cut{number:02}.jpg").write_bytes(whole[:900])
    (folder / "cat" / "00.jpg").write_bytes(b"")
    (folder / "cat" / "phone.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))
    message = refusal(folder, size=8)
    assert message.startswith("14 images cannot be read")
    assert f"'{folder / 'cat' / '00.jpg'}' (the file is empty)" in message
    assert "HEIC image, convert it to JPEG" in message
    assert "cut07.jpg" in message
    assert message.endswith("and 4 more")


def test_a_deep_image_is_refused_rather_than_clipped(folder: Path) -> None:
    path = folder / "dog" / "deep.png"
    Image.fromarray(np.full((8, 8), 5000, dtype=np.uint16)).save(path)
    assert f"image '{path}' cannot be read: it has more than 8 bits a channel" in refusal(folder)


def test_a_folder_without_test_images_says_where_to_put_them(folder: Path) -> None:
    assert "no test images; put them in its sub-folder test" in refusal(folder, train=False)


def test_classes_of_training_and_test_images_must_be_the_same(tmp_path: Path) -> None:
    for part, kinds in (("train", ("cat", "dog")), ("test", ("cat", "emu"))):
        for kind in kinds:
            draw(tmp_path / part / kind / "0.png")
    assert "only one of them has 'dog', 'emu'" in refusal(tmp_path, train=False)
