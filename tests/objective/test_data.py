"""Images of one's own through the objective, and those that it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.trial import TrialState
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset
from torchvision.datasets import ImageFolder

from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.spaces import NASBench201
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from relativenas_optuna.training import FileImages, Images, images_of
from tests.helpers.tiny_search import (
    SEED,
    SETTINGS,
    SPACE,
    Scoring,
    same_bits,
    scores,
    study,
    tiny_images,
    write_images,
)


class Own(Dataset[tuple[Any, int]]):
    """Some of the digits, each in a form of one's own."""

    def __init__(self, form: Callable[[Tensor], Any], start: int = 0, stop: int = 60) -> None:
        self.form, self.all = form, tiny_images(90)
        self.numbers: Sequence[int] = range(start, stop)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        number = self.numbers[index]
        return self.form(self.all.images[number]), int(self.all.labels[number])


FORMS: dict[str, Callable[[Tensor], Any]] = {
    "pil": lambda image: Image.fromarray(image[0].numpy()),
    "array": lambda image: image[0].numpy(),
    "uint8": lambda image: image,
    "float": lambda image: image / 255,
    "normalised": lambda image: (image.double() / 255 - 0.3) / 0.4,
}


def scoring_on(data: Any, **options: Any) -> Scoring:
    settings = options.pop("settings", SETTINGS)
    return SupernetObjective(SPACE, data, settings=settings, seed=SEED, device="cpu", **options)


def result_on(data: Any, **options: Any) -> tuple[Scoring, dict[Any, float]]:
    scoring, found = scoring_on(data, **options), study()
    found.optimize(scoring, n_trials=4)
    return scoring, scores(found)


def values_of(given: Images | FileImages) -> Tensor:
    return given.images.float() / (1 if given.images.is_floating_point() else 255)


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_is_searched_on_as_its_images_are(form: str) -> None:
    training, validation = Own(FORMS[form]), Own(FORMS[form], 60, 90)
    scoring, losses = result_on(training, validation=validation)
    assert len(scoring.training) == 60
    assert len(scoring.validation) == 30
    assert (scoring.validation.mean, scoring.validation.std) == (
        scoring.training.mean,
        scoring.training.std,
    )
    own = images_of(training)
    same, oracle = result_on(own, validation=images_of(validation, like=own))
    assert losses == oracle
    assert same_bits(scoring.weights.snapshot(), same.weights.snapshot())
    if form != "normalised":
        assert torch.equal(values_of(own), values_of(tiny_images(60)))


def test_kinds_of_one_image_give_one_search() -> None:
    for first, second in (("pil", "uint8"), ("uint8", "array")):
        one, losses = result_on(Own(FORMS[first]))
        other, same = result_on(Own(FORMS[second]))
        assert losses == same
        assert same_bits(one.weights.snapshot(), other.weights.snapshot())
        assert len(one.training) == len(one.validation) == 30


def test_a_folder_is_searched_on_by_its_path_or_as_torchvision_reads_it(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    by_path, losses = result_on(folder)
    by_torchvision, same = result_on(ImageFolder(folder))
    assert losses == same
    assert same_bits(by_path.weights.snapshot(), by_torchvision.weights.snapshot())
    assert by_path.classes == by_torchvision.classes == tuple("0123456789")


# --- what is refused at construction, in one line


def of_class(label: int) -> Own:
    own = Own(FORMS["uint8"])
    labels = own.all.labels
    own.numbers = [n for n in range(60) if labels[n] == label]
    return own


def cut(size: int) -> Own:
    return Own(lambda image: image[:, :size, :size])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda: of_class(0), {}, "images must be of at least 2 classes, all 8 are of class '0'"),
        (lambda: of_class(3), {}, "images must be of at least 2 classes, all 5 are of class '3'"),
        (lambda: Own(FORMS["uint8"], 0, 0), {}, r"the data set \(Own\) is empty"),
        (lambda: 5, {}, "a data set with .*got int"),
        (lambda: "digit", {}, "data must be one of digits, "),
        (lambda: cut(3), {}, "at least 4x4 pixels; got 3x3"),
        (lambda: cut(8), {"validation": lambda: Own(FORMS["float"])}, "images must have one type"),
        (
            lambda: cut(8),
            {"validation": lambda: cut(6)},
            "images must have one size, but that of the training images is 8x8",
        ),
        (lambda: cut(8), {"validation": lambda: Own(FORMS["uint8"], 0, 0)}, "is empty"),
        (
            lambda: [(torch.full((1, 8, 8), torch.nan), 0)] * 4,
            {},
            "image 0 has values that are not",
        ),
        (lambda: [(torch.zeros(1, 8, 8), "cat")] * 4, {}, "labels must be whole numbers from 0"),
    ],
)
def test_images_that_cannot_be_used_are_refused(
    data: Any, options: dict[str, Any], message: str
) -> None:
    given = {name: make() for name, make in options.items()}
    with pytest.raises(ValueError, match=message) as caught:
        scoring_on(data(), **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [1, 3])
def test_an_image_too_small_for_the_reductions_is_refused_for_either_space(size: int) -> None:
    settings = dataclasses.replace(SETTINGS, padding=0, cutout=0, cells=5)
    for space in (SPACE, NASBench201()):
        given: Any = space
        with pytest.raises(ValueError, match=f"4x4 .*got {size}x{size}") as caught:
            SupernetObjective(given, cut(size), settings=settings, device="cpu")
        assert "\n" not in str(caught.value)
    SupernetObjective(SPACE, cut(4), settings=settings, device="cpu")


# --- a loss that is no number


def after(count: int, otherwise: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss function: the cross-entropy, and after `count` batches an invalid value."""
    seen: list[int] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        seen.append(1)
        mean = functional.cross_entropy(logits, labels)
        return mean if len(seen) <= count else mean * otherwise

    return loss


@pytest.mark.parametrize("otherwise", [np.nan, np.inf])
@pytest.mark.parametrize("pruning", [True, False])
def test_a_loss_that_is_no_number_costs_the_trial_and_no_weights(
    otherwise: float, pruning: bool
) -> None:
    batches = 6  # four to train and two to validate
    scoring = scoring_on(tiny_images(), loss=after(2 * batches + 1, otherwise), pruning=pruning)
    found = study(study_name="s")
    found.optimize(scoring, n_trials=2)
    good = scoring.weights.snapshot()
    assert scoring.weights.version == 1
    found.optimize(scoring, n_trials=3)
    assert same_bits(scoring.weights.snapshot(), good)
    assert not scoring.waiting
    assert scoring.weights.version == 1
    for trial in found.trials[2:]:
        assert trial.state in {TrialState.FAIL, TrialState.PRUNED}
        assert trial.state == TrialState.FAIL or pruning
        assert INTERRUPTED_KEY not in trial.system_attrs
