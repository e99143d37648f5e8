from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor
from torchvision.transforms.v2 import functional

from relativenas_optuna.training import (
    Augmentation,
    DataError,
    FileImages,
    Images,
    as_images,
    evaluate,
    images_of,
    load_images,
)
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.pixel_store import CACHE_VARIABLE, MEMORY_VARIABLE
from tests.helpers.tiny_search import write_images
from tests.helpers.training.small import network, train

LABELS = [0, 1, 2, 1]


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


IMAGES = drawn(4, 3, 5, 6)


def as_image(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


class Own(Dataset[tuple[Any, Any]]):
    """The images in a form of one's own."""

    def __init__(self, form: Callable[[Tensor], Any], label: Callable[[int], Any] = int) -> None:
        self.form, self.label = form, label

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.form(IMAGES[index]), self.label(LABELS[index])


@pytest.mark.parametrize(
    "dataset",
    [
        Own(lambda image: image),
        Own(lambda image: image.permute(1, 2, 0).numpy()),
        Own(lambda image: np.ascontiguousarray(image.permute(1, 2, 0).numpy())[::-1][::-1]),
        Own(as_image),
        Own(lambda image: as_image(image).convert("RGBA")),
        Own(as_image, label=np.int64),
        Own(as_image, label=torch.tensor),
        TensorDataset(IMAGES, torch.tensor(LABELS)),
        Subset(TensorDataset(IMAGES, torch.tensor(LABELS)), range(4)),
        [(as_image(image), label) for image, label in zip(IMAGES, LABELS, strict=True)],
    ],
)
def test_images_and_labels_are_those_of_the_data_set(dataset: Any) -> None:
    images = images_of(dataset)
    assert torch.equal(images.images, IMAGES)
    assert images.labels.tolist() == LABELS
    assert images.classes == ("0", "1", "2")
    values = IMAGES.double().transpose(0, 1).flatten(1) / 255
    assert images.mean == pytest.approx(values.mean(1).tolist())
    assert images.std == pytest.approx(values.std(1, correction=0).tolist())


def test_grey_images_have_one_channel() -> None:
    for form in (
        lambda image: image[0],
        lambda image: image[0].numpy(),
        lambda image: Image.fromarray(image[0].numpy()),
        lambda image: image[:1],
    ):
        assert torch.equal(images_of(Own(form)).images, IMAGES[:, :1])


def test_streams_of_pairs_or_mappings_give_the_same_images() -> None:
    pairs = [(as_image(image), label) for image, label in zip(IMAGES, LABELS, strict=True)]
    for in_memory in (None, False):
        for stream in (
            iter(pairs),
            Stream(pairs),
            Stream([{"image": image, "label": label, "id": 7} for image, label in pairs]),
            Stream([{"png": image, "cls": label, "__key__": "a"} for image, label in pairs]),
        ):
            images = images_of(stream, in_memory=in_memory)
            assert torch.equal(images.images, IMAGES)
            assert images.labels.tolist() == LABELS


def test_a_stream_that_outgrows_memory_goes_on_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, "0.002")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    images = drawn(5, 3, 512, 512)
    found = images_of((image, number % 2) for number, image in enumerate(images))
    assert isinstance(found, FileImages)
    assert torch.equal(found.images, images)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_stream_names_the_item_at_which_it_ended() -> None:
    def stream() -> Iterator[tuple[Tensor, int]]:
        yield IMAGES[0], 0
        raise OSError("the server is gone")

    with pytest.raises(DataError, match=r"^item 1 .* cannot be read: OSError: the server is gone$"):
        images_of(stream())


def test_size_resizes_the_shorter_side_and_crops_the_centre() -> None:
    for form in (lambda image: image, as_image):
        images = images_of(Own(form), size=3)
        assert images.shape == (3, 3, 3)
        coarse = functional.center_crop(functional.resize(IMAGES, [3]), [3]).float()
        assert (images.images.float() - coarse).abs().mean() < 16
    with pytest.raises(ValueError, match="size must be 1 to"):
        images_of(Own(as_image), size=0)


def test_names_of_classes_are_the_data_sets_or_those_given() -> None:
    dataset = Own(as_image)
    dataset.classes = ["a", "b", "c", "d"]  # type: ignore[attr-defined]
    assert images_of(dataset).classes == ("a", "b", "c", "d")
    assert images_of(dataset, classes=["x", "y", "z"]).classes == ("x", "y", "z")


def test_a_folder_read_by_torchvision_gives_the_images_that_ours_gives(tmp_path: Path) -> None:
    folder = write_images(tmp_path, 40)
    ours, theirs = load_images(folder), as_images(ImageFolder(folder))
    assert isinstance(theirs, Images)
    assert torch.equal(ours.images, theirs.images)
    assert torch.equal(ours.labels, theirs.labels)
    assert (ours.classes, ours.mean, ours.std) == (theirs.classes, theirs.mean, theirs.std)


@given(st.sampled_from([torch.float16, torch.float32, torch.float64]), st.floats(0.1, 50))
def test_floats_are_normalised_by_their_own_mean_and_std(dtype: torch.dtype, scale: float) -> None:
    values = ((IMAGES.double() / 255 - 0.4) * scale).to(dtype)
    images = images_of(TensorDataset(values, torch.tensor(LABELS)))
    assert torch.equal(images.images, values.float())
    kept = images.images.clone()
    batch = normalise(images.images, *images.statistics()).double()
    std, mean = torch.std_mean(batch, (0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3).double(), atol=1e-4, rtol=0.0)
    torch.testing.assert_close(std, torch.ones(3).double(), atol=1e-4, rtol=0.0)
    assert torch.equal(images.images, kept)


def test_floats_from_bytes_are_trained_on_as_the_bytes_are() -> None:
    floats = images_of(Own(lambda image: ToTensor()(as_image(image))))
    whole = images_of(Own(as_image))
    augmentation = Augmentation(padding=1, cutout=2)
    results = []
    for images in (floats, whole):
        module = network()
        before = images.images.clone()
        epoch = train(module, images, augmentation=augmentation)
        score = evaluate(module, images, module=module, batch_size=3)
        results.append([epoch.loss, score.loss])
        assert torch.equal(images.images, before)
    assert results[0] == pytest.approx(results[1], rel=1e-3)


def test_a_channel_without_contrast_can_be_normalised() -> None:
    images = images_of(TensorDataset(torch.full((4, 1, 2, 2), 3.0), torch.tensor(LABELS)))
    assert not normalise(images.images, *images.statistics()).any()


def test_validation_images_take_classes_and_statistics_of_the_training_images() -> None:
    training = images_of(Own(as_image), classes=["x", "y", "z"])
    few = [(as_image(image), 1) for image in IMAGES[:2]]
    validation = as_images(few, like=training)
    assert validation.classes == training.classes
    assert (validation.mean, validation.std) == (training.mean, training.std)
    with pytest.raises(DataError, match=r"one type, but that of the training images is .*uint8"):
        as_images([(image.float(), 1) for image in IMAGES], like=training)
    with pytest.raises(DataError, match="one size, but that of the training images is 6x5"):
        as_images([(image[..., 1:], 1) for image in IMAGES], like=training)


class Stream(IterableDataset[Any]):
    """A stream of items."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


class Nothing(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 3


def of_sizes() -> list[tuple[Tensor, int]]:
    return [(IMAGES[0], 0), (IMAGES[1], 1), (IMAGES[2, :, 1:], 2)]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (3, "must be a data set with __len__ and __getitem__, or an iterable one, got int"),
        (Nothing(), r"data set \(Nothing\) is empty"),
        ([], "is empty"),
        (
            [{"image": 1}],
            "one image and one whole number .*the images .* and the numbers .'im",
        ),
        ([3], r"must be a pair \(image, label\) or a mapping with both, item 0 is int"),
        ([(IMAGES[0], 0, 0)], r"must be a pair \(image, label\) or .*, item 0 is tuple"),
        ([("cat.png", 0)], "must be a PIL image.*, image 0 is str"),
        ([(IMAGES[0].long(), 0)], r"image 0 is Tensor torch.int64 \[3, 5, 6\]"),
        ([(IMAGES, 0)], r"image 0 is Tensor torch.uint8 \[4, 3, 5, 6\]"),
        ([(IMAGES[0].numpy().astype(np.int32), 0)], "image 0 is ndarray int32"),
        ([(drawn(3, 9, 9).numpy(), 0)], r"an array must be \[h, w, c\], image 0 is \[3, 9, 9\]"),
        ([(drawn(9, 9, 3), 0)], r"a tensor must be \[c, h, w\], image 0 is \[9, 9, 3\]"),
        ([(Image.new("I;16", (3, 3)), 0)], "more than 8 bits a channel"),
        ([(torch.full((1, 2, 2), torch.nan), 0)], "image 0 has values that are not finite"),
        (of_sizes(), "one size, but that of image 0 is 6x5 and that of image 2 is 6x4.*Resize"),
        ([(IMAGES[0], 0), (IMAGES[1, :1], 1)], "must have one type"),
        ([(IMAGES[0], 0), (IMAGES[1].float(), 1)], "must have one type"),
        ([(IMAGES[0], 1.5)], "labels must be whole numbers from 0, the label of item 0 is 1.5"),
        ([(IMAGES[0], "cat")], "labels must be whole numbers from 0, the label of item 0 is 'cat'"),
        ([(IMAGES[0], -1)], "labels must be whole numbers from 0, the label of item 0 is -1"),
        (
            [(IMAGES[0], 0), (IMAGES[1], 10**12)],
            "labels must be 0 to n - 1 .* 2 different labels up",
        ),
        ([(IMAGES[0], torch.ones(2))], "labels must be whole numbers from 0"),
        ([(IMAGES[0], 1), (IMAGES[1], 1)], "at least 2 classes, all 2 are of class '1'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(dataset: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        as_images(dataset)
    assert "\n" not in str(caught.value)


def test_labels_and_names_of_classes_must_fit() -> None:
    with pytest.raises(DataError, match=r"labels must be in 0..1 for 2 classes, .* item 2 is 2"):
        images_of(Own(as_image), classes=["a", "b"])
    with pytest.raises(DataError, match="classes must be a list of names, got 'abc'"):
        images_of(Own(as_image), classes="abc")


@pytest.mark.parametrize("name", ["a\tb", "caf\udce9", "", "b"])
def test_names_of_classes_that_no_network_file_holds_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="classes") as caught:
        images_of(Own(as_image), classes=["a", "b", name])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [">f4", "<f8", ">f8", ">f2", np.longdouble])
def test_arrays_of_any_byte_order_and_precision_are_read(kind: Any) -> None:
    images = images_of(Own(lambda image: image.permute(1, 2, 0).numpy().astype(kind)))
    assert torch.equal(images.images, IMAGES.float())


def test_transparency_of_pil_images_is_laid_on_white() -> None:
    clear = Image.new("LA", (4, 4), (0, 0))
    clear.paste((0, 255), (0, 0, 2, 4))
    images = images_of([(clear, 0), (clear, 1)]).images
    assert images[0, 0, 0].tolist() == [0, 0, 255, 255]


def test_pil_images_are_rotated_as_their_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        as_image(drawn(3, 6, 6)).save(tmp_path / name / "0.png", exif=exif)
    files = [io.BytesIO(path.read_bytes()) for path in sorted(tmp_path.glob("*/0.png"))]
    lazily = [(Image.open(file), number) for number, file in enumerate(files)]
    assert torch.equal(images_of(lazily).images, load_images(tmp_path).images)


def test_images_names_and_folders_are_all_accepted(tmp_path: Path) -> None:
    images = images_of(Own(as_image))
    assert as_images(images) is images
    assert isinstance(as_images("digits"), Images)
    with pytest.raises(DataError, match="data must be one of"):
        as_images("digit")


class Broken(list[Any]):
    """A data set of which one item cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        if index == 2:
            raise KeyError("no such\nfile")
        return super().__getitem__(index)


def test_all_items_that_cannot_be_read_are_named() -> None:
    file = io.BytesIO()
    as_image(drawn(3, 64, 64)).save(file, "PNG")
    cut = Image.open(io.BytesIO(file.getvalue()[:900]))  # which reads no more than the head
    data = Broken([(as_image(IMAGES[0]), 0), (cut, 1), (cut, 0), (cut, 1)])
    with pytest.raises(DataError, match=r"^3 items .*: 1 \(OSError: .*, 2 \(KeyError: .*, 3 \("):
        images_of(data)


def test_an_item_that_cannot_be_read_is_named_by_its_number() -> None:
    data = Broken((torch.zeros(1, 8, 8, dtype=torch.uint8), label) for label in (0, 1, 0))
    with pytest.raises(DataError, match=r"^item 2 of the data set cannot be read: KeyError: ") as (
        caught
    ):
        images_of(data)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)
