"""Test the results, files and errors of a training."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional

from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
from relativenas_optuna.evaluation.standalone.result import Epoch, Result
from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.evaluation.standalone.setup import RecipeLoss, counts
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.exceptions import DivergedError, SearchError
from relativenas_optuna.networks.io.network_file import load_network
from relativenas_optuna.networks.network_cost import cost
from relativenas_optuna.training import Augmentation, DataError, Images, evaluate, load
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.streamed import StreamedImages
from tests.helpers.small_standalone import GENOTYPE, RECIPE, SEED, figures, train, weights
from tests.helpers.tiny_search import names, same_bits, tiny_images

UNSTEADY: dict[str, Any] = {"learning_rate": 0.5, "learning_rate_end": 0.5, "clip": 0.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, list[Epoch]]:
    """Return a training that is best before its last epoch."""
    out: Path = tmp_path_factory.mktemp("trained")
    told: list[Epoch] = []
    result = train(out, test=tiny_images(20), on_epoch=told.append, epochs=5, **UNSTEADY)
    return out, result, told


def test_what_is_kept_is_the_best_on_the_validation_part(
    trained: tuple[Path, Result, list[Epoch]],
) -> None:
    _, result, told = trained
    best = max(told, key=lambda e: (e.validation_accuracy or 0, -(e.validation_loss or 0)))
    assert result.kept_epoch == best.epoch != told[-1].epoch
    assert result.validation_accuracy == best.validation_accuracy
    assert result.validation_loss == best.validation_loss
    # Of the network in the file, by other means: images of the part, drawn again.
    network, description = load_network(result.network)
    network.eval()
    _, part = tiny_images(60).split(1 - RECIPE.validation_fraction, seed=SEED)
    for data, accuracy, loss in (
        (part, result.validation_accuracy, result.validation_loss),
        (tiny_images(20), result.test_accuracy, result.test_loss),
    ):
        with torch.no_grad():
            logits = network(normalise(data.images, *data.statistics()))
        assert isinstance(logits, torch.Tensor)
        assert float(functional.cross_entropy(logits, data.labels)) == pytest.approx(loss, rel=1e-4)
        assert float((logits.argmax(1) == data.labels).float().mean()) == pytest.approx(accuracy)
    costs = cost(network, (1, 8, 8))
    assert (result.parameters, result.multiply_adds) == (costs.parameters, costs.multiply_adds)
    assert (description.genotype, description.classes) == (GENOTYPE, tiny_images().classes)
    assert description.mean == tiny_images().mean
    assert description.notes["recipe"]["epochs"] == 5
    assert description.notes["kept_epoch"] == result.kept_epoch


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.3])
def test_as_many_images_are_trained_on_as_is_said(fraction: float) -> None:
    """Few are set apart where every class must have one, and then it is more than the share."""
    recipe = replace(RECIPE, validation_fraction=fraction, batch_size=60)
    trained, validated = counts(tiny_images(60), recipe, seed=SEED)
    assert trained + validated == 60
    assert validated == {0.0: 0, 0.001: 10, 0.3: 18}[fraction]
    told: list[int] = []
    trainer = StandaloneTrainer(
        GENOTYPE,
        tiny_images(60),
        recipe=recipe,
        seed=SEED,
        group=ProcessGroup(device=torch.device("cpu")),
    )
    trainer.epoch(0, told.append)
    assert told == [trained]


def test_test_images_decide_nothing(tmp_path: Path) -> None:
    """Other labels, and none at all, leave the same weights and all figures but the test's."""
    test = tiny_images(20)
    labels = test.labels.flip(0)
    assert not torch.equal(labels, test.labels)
    found = {}
    for name, data in (("a", test), ("b", replace(test, labels=labels)), ("c", None)):
        found[name] = asdict(train(tmp_path / name, test=data))
        assert same_bits(weights(tmp_path / name), weights(tmp_path / "a"))
    free = {"seconds", "network", "test_accuracy"}
    for other in (found["b"], found["c"]):
        different = {name for name in other if other[name] != found["a"][name]}
        assert {"test_loss"} <= different <= free | {"test_loss"}
    assert found["c"]["test_accuracy"] is found["c"]["test_loss"] is None


def test_without_a_validation_part_all_is_trained_on_and_the_last_epoch_kept(
    tmp_path: Path,
) -> None:
    result = train(tmp_path, validation_fraction=0.0, epochs=2)
    assert result.kept_epoch == 1
    assert result.validation_accuracy is result.validation_loss is None
    tensors = load(tmp_path / "state.safetensors")[0]
    steps = tensors["network.stem.1.num_batches_tracked"]
    assert int(steps) == 2 * 8  # 60 images in batches of 8, the last of 4
    assert not any(name.startswith("kept.") for name in tensors)


def test_the_log_tells_every_epoch_in_lines_and_tensorboard_and_as_a_figure(
    trained: tuple[Path, Result, list[Epoch]],
) -> None:
    out, result, told = trained
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [Epoch(**line) for line in lines] == told
    assert [epoch.epoch for epoch in told] == list(range(5))
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    for tag, name in (
        ("loss/training", "training_loss"),
        ("accuracy/validation", "validation_accuracy"),
        ("learning_rate", "learning_rate"),
    ):
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert found == [(e.epoch, pytest.approx(getattr(e, name), rel=1e-6)) for e in told]
    with Image.open(out / "curve.png") as curve:
        assert curve.format == "PNG"
        assert len(curve.convert("L").getcolors() or []) > 2  # more than a blank page
    assert result.seconds == pytest.approx(sum(epoch.seconds for epoch in told))
    assert names(out) == [
        "curve.png",
        "log.jsonl",
        "network.json",
        "network.safetensors",
        "result.json",
        "state.safetensors",
        "tensorboard",
    ]


def test_a_log_goes_on_where_it_was_without_saying_an_epoch_twice(tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, on_epoch=stop)
    assert (tmp_path / "curve.png").exists()
    train(tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss/training")] == [0, 1, 2]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_a_training_that_diverges_says_so_and_keeps_the_epochs_before(tmp_path: Path) -> None:
    def slow_at_first(self: object, epoch: int) -> float:
        return 0.01 if epoch < 2 else 1e30

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "relativenas_optuna.evaluation.standalone.recipe.Recipe.learning_rate_of", slow_at_first
        )
        with pytest.raises(DivergedError, match="diverged in epoch 3, its loss is") as said:
            train(tmp_path, test=tiny_images(20), clip=0.0)
    assert "\n" not in str(said.value)
    history, kept, _ = figures(tmp_path)
    assert [line.get("epoch") for line in history[:2]] == [0, 1]
    assert kept in (0, 1)
    assert all(
        math.isfinite(float(t.sum()))
        for t in load_network(tmp_path / "network.safetensors")[0].state_dict().values()
    )


def test_the_loss_smooths_labels_and_adds_that_of_the_auxiliary_head() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, auxiliary = (torch.randn(5, 4, generator=generator) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 1])

    def smoothed(of: torch.Tensor) -> float:
        target = 0.9 * functional.one_hot(labels, 4) + 0.1 / 4
        return float(-(target * of.log_softmax(1)).sum(1).mean())

    loss = RecipeLoss(label_smoothing=0.1, auxiliary=0.4)
    expected = smoothed(logits) + 0.4 * smoothed(auxiliary)
    assert float(loss((logits, auxiliary), labels)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(logits, labels)) == pytest.approx(smoothed(logits), rel=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains_float32_weights_otherwise(precision: str, tmp_path: Path) -> None:
    train(tmp_path / "a", epochs=1)
    train(tmp_path / "b", epochs=1, precision=precision)
    (one, other) = (weights(tmp_path / name) for name in "ab")
    assert {tensor.dtype for tensor in other.values()} == {torch.float32, torch.int64}
    assert not same_bits(one, other)
    for name in one:
        if name.startswith("network.") and one[name].is_floating_point():
            torch.testing.assert_close(other[name], one[name], rtol=0.2, atol=0.2)


def large(count: int = 12, side: int = 32) -> Images:
    generator = torch.Generator().manual_seed(0)
    return Images(
        images=torch.randint(256, (count, 3, side, side), generator=generator, dtype=torch.uint8),
        labels=torch.arange(count) % 2,
        classes=("a", "b"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )


@pytest.mark.slow_except("cifar")
@pytest.mark.parametrize("name", ["cifar", "imagenet"])
def test_the_papers_recipes_train_a_network_that_is_small_enough(name: str, tmp_path: Path) -> None:
    """Train with auxiliary head, warm-up, label smoothing, drop-path and cutout together."""
    side = {"cifar": 32, "imagenet": 193}[name]
    changes: dict[str, Any] = {"channels": 2, "cells": 3, "epochs": 6, "batch_size": 4}
    if name == "imagenet":
        changes |= {"size": 0, "random_resized_crop": False, "color_jitter": 0.0}
    recipe = replace(RECIPES[name], **changes, validation_fraction=0.34)
    data = large(6 if name == "imagenet" else 12, side)
    told: list[Epoch] = []
    result = training_run(
        GENOTYPE,
        data,
        recipe=replace(recipe, epochs=6),
        seed=0,
        out=tmp_path,
        device="cpu",
        on_epoch=told.append,
    )
    assert [e.learning_rate for e in told] == [recipe.learning_rate_of(e) for e in range(6)]
    network, _ = load_network(result.network)
    assert network.auxiliary_head is not None
    found = evaluate(network, data, module=network, batch_size=4)
    assert math.isfinite(found.loss)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cutout": 9}, "cutout must be at most 8 for images of 8x8, got 9"),
        ({"auxiliary": 0.4}, "auxiliary must be 0 for images of 8x8: .*needs features of at"),
        ({"size": 16}, "size must be that of the images, which have 8x8 pixels; got 16"),
        (
            {"random_resized_crop": True, "size": 8, "padding": 0},
            "random_resized_crop must be false for images that are in memory; got true",
        ),
        ({"family": "imagenet"}, "height and width of at least 32, got"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"test": large()}, "test images must have the classes of the training images"),
    ],
)
def test_what_does_not_fit_the_images_is_said_in_one_line(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        train(tmp_path / "out", **changes)
    assert "\n" not in str(caught.value)


def test_test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    data = tiny_images(20)
    test = replace(data, images=data.images[..., :7])
    with pytest.raises(DataError, match=r"shape of the training images, \(1, 8, 8\); got"):
        train(tmp_path, test=test)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    def again(_: Epoch) -> None:
        with pytest.raises(SearchError, match=r"is being trained into by another process: .*--out"):
            train(tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, on_epoch=again)


def test_images_from_files_are_mirrored_once(tmp_path: Path) -> None:
    """Images are mirrored when they are read, and not again as batches."""
    path = tmp_path / "0.png"
    Image.new("RGB", (16, 16)).save(path)
    data = StreamedImages(
        paths=[str(path)] * 8, labels=torch.arange(8) % 2, classes=("a", "b"), size=16
    )
    changes: dict[str, Any] = {"random_resized_crop": True, "size": 16, "padding": 0}
    recipe = replace(RECIPE, **changes, flip=True, validation_fraction=0.0)
    trainer = StandaloneTrainer(
        GENOTYPE, data, recipe=recipe, seed=0, group=ProcessGroup(device=torch.device("cpu"))
    )
    seen: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Augmentation, "_crop", lambda *_: seen.append(True))
        trainer.epoch(0, None)
    assert not seen
