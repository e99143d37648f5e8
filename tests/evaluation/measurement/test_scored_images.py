"""Test the choice and preparation of the images to score a network on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.measurement import scored_images
from relativenas_optuna.evaluation.measurement.scored_images import images_to_score
from relativenas_optuna.evaluation.network_in_file import open_network
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.spaces import published
from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.data.load import load_images
from relativenas_optuna.training.data.source import plain_batches
from relativenas_optuna.training.data.streamed import StreamedImages
from tests.helpers import small_standalone as small
from tests.helpers.command import write_images
from tests.helpers.networks import golden

DESCRIPTION = replace(
    small.DESCRIPTION,
    size=(6, 6),
    notes={"recipe": {"validation_fraction": 0.25}, "seed": 3},
)


@pytest.fixture
def divided(tmp_path: Path) -> str:
    write_images(tmp_path / "train", each=16)
    write_images(tmp_path / "test", each=4)
    return str(tmp_path)


def given(data: str, **changes: Any) -> ImageSet | StreamedImages:
    settings = {name: changes.pop(name) for name in ("part", "size", "named") if name in changes}
    return images_to_score(replace(DESCRIPTION, **changes), data, **settings)


def images_of(data: ImageSet | StreamedImages) -> Tensor:
    return torch.cat([images for images, _ in plain_batches(data, 8)])


def test_each_part_has_the_size_mean_and_std_of_the_network(divided: str) -> None:
    whole = load_images(divided, size=6)
    parts = {
        "test": load_images(divided, size=6, train=False),
        "training": whole,
        "validation": whole.split(0.75, seed=3)[1],
    }
    for part, expected in parts.items():
        found = given(divided, part=part)
        assert isinstance(found, Images)
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.labels, expected.labels)
        assert (found.mean, found.std) == (DESCRIPTION.mean, DESCRIPTION.std)
    assert given(divided, size=7).shape == (3, 7, 7)
    assert given(divided, size=None, named=False).shape == (3, 8, 8)


def test_images_that_were_cropped_at_random_are_read_from_their_folder(divided: str) -> None:
    notes = {"recipe": {"random_resized_crop": True, "validation_fraction": 0.25}, "seed": 3}
    found = given(divided, notes=notes, part="validation")
    assert isinstance(found, StreamedImages)
    assert len(found) == 8
    assert (found.mean, found.std) == (DESCRIPTION.mean, DESCRIPTION.std)
    assert isinstance(given(divided, dataset="imagenet", notes={}), StreamedImages)


def test_published_weights_use_the_papers_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(golden().state, tmp_path / "w.pt")
    _, description, own = open_network(tmp_path / "w.pt", published("RelativeNAS"))
    assert not own
    assert description.mean == (0.49139968, 0.48215827, 0.44653124)
    assert description.std == (0.24703233, 0.24348505, 0.26158768)
    asked: list[Any] = []
    ten = Images(
        images=torch.zeros(7, 3, 32, 32, dtype=torch.uint8),
        labels=torch.arange(7),
        classes=tuple("abcdefg"),
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )

    def loaded(*words: object, **settings: object) -> Images:
        asked.append((words, settings))
        return ten

    monkeypatch.setattr(scored_images, "load_images", loaded)
    found = images_to_score(description, "cifar10", named=own)
    assert asked == [(("cifar10",), {"size": None, "train": False, "download": True})]
    values = set(images_of(found).flatten().tolist())
    assert sorted(values) == pytest.approx(
        sorted(-mean / std for mean, std in zip(description.mean, description.std, strict=True))
    )


@pytest.mark.parametrize(
    ("count", "dataset", "expected", "side"),
    [(7, None, "cifar10", 32), (100, None, "cifar100", 32), (7, "cifar100", "cifar100", 32)],
)
def test_the_data_set_of_weights_is_inferred_or_given(
    count: int, dataset: str | None, expected: str, side: int, tmp_path: Path
) -> None:
    state = dict(golden().state)
    for name in ("classifier", "auxiliary_head.classifier"):
        for kind in ("weight", "bias"):
            some = state[f"{name}.{kind}"]
            state[f"{name}.{kind}"] = some[torch.arange(count) % len(some)]
    torch.save(state, tmp_path / "w.pt")
    network, description, _ = open_network(tmp_path / "w.pt", published("RelativeNAS"), dataset)
    assert (description.dataset, description.size) == (expected, (side, side))
    assert description.classes == tuple(map(str, range(count)))
    assert network.auxiliary_head is not None
    assert description.build().state_dict().keys() == state.keys()


def refusal(data: str, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        given(data, **changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_data_that_does_not_fit_the_network_is_refused(divided: str) -> None:
    assert refusal(divided, classes=("a", "b", "c")) == (
        "the network has 3 classes, but the data has 2: 'class0', 'class1'"
    )
    assert refusal(divided, classes=("class1", "class0")) == (
        "the data has other classes: class 0 is 'class0' in the data and 'class1' in the network; "
        "class 1 is 'class1' in the data and 'class0' in the network"
    )
    assert len(given(divided, classes=("0", "1"), named=False)) == 8
    grey = {"in_channels": 1, "mean": (0.0,), "std": (1.0,)}
    assert refusal(divided, **grey) == (
        f"the network takes images of 1 channels, but those of {divided!r} have 3"
    )


def test_missing_parts_are_reported_with_advice(divided: str, tmp_path: Path) -> None:
    test = str(tmp_path / "test")
    assert refusal(test).endswith("pass --part training to score all its images")
    assert len(given(test, part="training")) == 8
    assert "must be one of digits" in refusal("nowhere")
    untold: list[dict[str, Any]] = [{}, {"recipe": {"validation_fraction": 0.0}}, {"recipe": []}]
    for notes in untold:
        line = refusal(divided, notes=notes, part="validation")
        assert line.endswith("pass --part test or --part training")
    for seed in (None, -1, True):
        notes = {"recipe": {"validation_fraction": 0.5}, "seed": seed}
        assert "the seed of its validation part" in refusal(divided, notes=notes, part="validation")
