from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from relativenas_optuna.training import DataError, Images
from relativenas_optuna.training.data.channel_statistics import channel_statistics


def numbered(labels: list[int], classes: int) -> Images:
    """Return images of one pixel whose three values are their own index."""
    index = torch.arange(len(labels))
    images = torch.stack([index % 256, index // 256, index * 0], dim=1).to(torch.uint8)
    return Images(
        images=images[:, :, None, None],
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=tuple(f"class {label}" for label in range(classes)),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )


def indices(images: Images) -> list[int]:
    digits = images.images[:, :, 0, 0].to(torch.int64)
    return (digits[:, 0] + 256 * digits[:, 1]).tolist()


class_counts = st.lists(st.integers(2, 30), min_size=1, max_size=6)


@given(class_counts, st.floats(0.05, 0.95), st.integers(0, 2**32), st.randoms())
def test_split_is_disjoint_exhaustive_and_stratified(
    counts: list[int], fraction: float, seed: int, shuffler: object
) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    shuffler.shuffle(labels)  # type: ignore[attr-defined]
    images = numbered(labels, len(counts))
    train, validation = images.split(fraction, seed=seed)
    assert sorted(indices(train) + indices(validation)) == list(range(len(labels)))
    for part in (train, validation):
        assert part.labels.tolist() == [labels[index] for index in indices(part)]
        assert set(part.labels.tolist()) == set(range(len(counts)))
    for label, count in enumerate(counts):
        share = train.labels.tolist().count(label)
        assert abs(share - fraction * count) <= 1


def test_split_into_halves_is_exact_where_counts_are_even() -> None:
    train, validation = numbered([0, 1, 2] * 40, 3).split(seed=3)
    for part in (train, validation):
        assert torch.bincount(part.labels).tolist() == [20, 20, 20]


def test_split_depends_on_its_seed_alone() -> None:
    images = numbered([0, 1] * 50, 2)
    torch.manual_seed(1)
    first = indices(images.split(seed=5)[0])
    torch.manual_seed(2)
    assert indices(images.split(seed=5)[0]) == first
    assert indices(images.split(seed=6)[0]) != first


def test_split_draws_every_image_equally_often() -> None:
    images = numbered([0] * 10 + [1] * 10, 2)
    chosen = [index for seed in range(400) for index in indices(images.split(seed=seed)[0])]
    shares = np.bincount(chosen, minlength=20) / 400
    assert np.abs(shares - 0.5).max() < 4 * 0.5 / 400**0.5


@pytest.mark.parametrize(
    ("labels", "classes", "name"), [([0, 0, 1], 2, "class 1"), ([0, 0], 2, "class 1")]
)
def test_split_names_the_class_that_is_too_small(
    labels: list[int], classes: int, name: str
) -> None:
    with pytest.raises(DataError, match=f"at least 2 images .* '{name}' has {labels.count(1)}"):
        numbered(labels, classes).split(seed=0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_split_refuses_a_fraction_that_leaves_a_part_empty(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction must be above 0 and below 1, got"):
        numbered([0, 0], 1).split(fraction, seed=0)


def test_split_refuses_a_negative_seed() -> None:
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        numbered([0, 0], 1).split(seed=-1)


def test_subset_keeps_the_order_asked_for_and_what_is_known_of_the_set() -> None:
    images = numbered([0, 1, 0, 1], 2)
    part = images.subset([3, 0])
    assert indices(part) == [3, 0]
    assert part.labels.tolist() == [1, 0]
    assert (part.classes, part.mean, part.std) == (images.classes, images.mean, images.std)
    assert len(part) == 2


def test_moving_keeps_the_images() -> None:
    moved = numbered([0, 1], 2).to("cpu")
    assert indices(moved) == [0, 1]
    assert moved.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": torch.zeros(2, 3, 1, 1).double()}, "images must be a uint8 or float32 tensor"),
        ({"images": torch.zeros(2, 3, 1, dtype=torch.uint8)}, r"tensor \[n, c, h, w\], got"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, r"labels must be an int64 tensor \[2\]"),
        ({"labels": torch.zeros(2)}, r"labels must be an int64 tensor \[2\]"),
        ({"labels": torch.tensor([0, 2])}, r"labels must be in 0\.\.1 for 2 classes, got 0\.\.2"),
        ({"labels": torch.tensor([-1, 1])}, r"got -1\.\.1"),
        ({"mean": (0.5,)}, "3 numbers, one for each channel"),
        ({"std": (0.5, 0.0, 0.5)}, "std must be above 0"),
    ],
)
def test_tensors_that_do_not_fit_together_are_refused(
    changes: dict[str, object], message: str
) -> None:
    images = numbered([0, 1], 2)
    with pytest.raises(DataError, match=message):
        Images(**{**vars(images), **changes})


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=4, max_dims=4, max_side=5)))
def test_channel_statistics_equal_those_of_float64_images(images: np.ndarray) -> None:
    mean, std = channel_statistics(torch.from_numpy(images))
    values = images.astype(np.float64) / 255
    np.testing.assert_allclose(mean, values.mean((0, 2, 3)), atol=1e-12)
    np.testing.assert_allclose(std, np.maximum(values.std((0, 2, 3)), 1 / 255), atol=1e-9)
