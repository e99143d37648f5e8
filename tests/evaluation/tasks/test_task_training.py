"""Test that the one trainer trains a task: what it learns, resume, processes, and messages."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from relativenas_optuna.evaluation import open_network
from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.evaluation.tasks.segmentation.task import SEGMENTATION
from relativenas_optuna.exceptions import DataError, SearchError, TaskError
from relativenas_optuna.networks import build
from relativenas_optuna.training import Images
from tests.evaluation.standalone.test_parts import free_port
from tests.helpers.forked import context
from tests.helpers.masks import write_cityscapes
from tests.helpers.small_segmentation import GENOTYPE, RECIPE, killed, samples, train
from tests.helpers.small_standalone import figures, weights
from tests.helpers.tiny_search import same_bits, tiny_images

CHANCE = 1 / 3  # at most: the mean IoU of three classes, if one of them is predicted everywhere
MARGIN = 0.2
forking = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked from a server")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cityscapes(tmp_path_factory.mktemp("cityscapes"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, street: Path) -> Path:
    out: Path = tmp_path_factory.mktemp("undisturbed")
    train(street, out)
    return out


@pytest.mark.slow
def test_a_short_training_finds_roads_skies_and_cars(street: Path, tmp_path: Path) -> None:
    result = train(street, tmp_path, epochs=18, learning_rate=0.05, validation_fraction=0.0)
    assert result.test_figures is not None
    assert [*result.test_figures][:2] == ["mIoU", "pixel accuracy"]
    assert result.test_figures["mIoU"] > CHANCE + MARGIN
    assert result.validation_figures is None
    assert result.test_accuracy is None


def assert_test_figures(out: Path, street: Path) -> None:
    """Check the stored figures of the test images by means of the stored network."""
    network, _, _ = open_network(out / "network.safetensors", GENOTYPE)
    meter = SEGMENTATION.meter(samples(street, train=False))
    network.eval()
    with torch.no_grad():
        for inputs, targets in samples(street, train=False).batches(1):
            meter.update(SEGMENTATION.predict(network, inputs), targets)
    stored = json.loads((out / "result.json").read_text())
    assert meter.result() == pytest.approx(stored["test_figures"], abs=1e-3)


def test_the_file_holds_the_network_and_names_its_task(undisturbed: Path, street: Path) -> None:
    _, description, own = open_network(undisturbed / "network.safetensors", GENOTYPE)
    assert own
    assert (description.task, len(description.classes)) == ("segmentation", 19)
    assert description.size == (32, 32)
    assert_test_figures(undisturbed, street)


def test_the_log_has_the_figures_of_the_task(undisturbed: Path) -> None:
    lines = [json.loads(line) for line in (undisturbed / "log.jsonl").read_text().splitlines()]
    assert len(lines) == RECIPE.epochs
    for line in lines:
        assert line["training_accuracy"] is line["validation_accuracy"] is None
        assert 0 <= line["validation_figures"]["mIoU"] <= 1
    assert (undisturbed / "curve.png").exists()


def test_a_missing_library_of_the_metric_is_reported_before_the_training(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.classification", None)
    with pytest.raises(TaskError, match=r"torchmetrics: pip install 'relativenas-optuna\[tasks\]'"):
        train(street, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_training_ends_after_a_broken_test_image_was_repaired(
    street: Path, undisturbed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(street, tmp_path / "data")
    mask = next((folder / "gtFine" / "val").rglob("*_labelIds.png"))
    whole = mask.read_bytes()
    mask.write_bytes(whole[:60])
    with pytest.raises(DataError, match=r"mask '.*' cannot be read"):
        train(folder, tmp_path / "out")
    mask.write_bytes(whole)
    train(folder, tmp_path / "out")
    assert same_bits(weights(tmp_path / "out"), weights(undisturbed))
    assert figures(tmp_path / "out") == figures(undisturbed)
    mask.unlink()
    (folder / "leftImg8bit" / mask.parent.relative_to(folder / "gtFine")).joinpath(
        mask.name.replace("gtFine_labelIds", "leftImg8bit")
    ).unlink()
    with pytest.raises(SearchError, match="started with other test images"):
        train(folder, tmp_path / "out")


@pytest.mark.slow_except("changes0")
@forking
@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "learning_rate": 1e-3}])
def test_a_killed_training_goes_on_to_the_last_bit(
    changes: dict[str, Any], street: Path, undisturbed: Path, tmp_path: Path
) -> None:
    if changes:
        undisturbed = tmp_path / "adam"
        train(street, undisturbed, **changes)
    assert killed("half:2", street, tmp_path / "out", **changes) == -signal.SIGKILL
    train(street, tmp_path / "out", **changes)
    assert same_bits(weights(tmp_path / "out"), weights(undisturbed))
    assert figures(tmp_path / "out") == figures(undisturbed)


def _process(number: int, port: int, street: Path, out: Path) -> None:
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    train(street, out, batch_size=8, epochs=1)


@pytest.mark.slow
@forking
def test_two_processes_equal_one_that_takes_its_batches_in_two_halves(
    street: Path, tmp_path: Path
) -> None:
    arguments = (free_port(), street, tmp_path / "two")
    started = [context.Process(target=_process, args=(n, *arguments)) for n in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0]
    train(street, tmp_path / "one", batch_size=8, epochs=1, accumulate=2)
    two, one = weights(tmp_path / "two"), weights(tmp_path / "one")
    assert two.keys() == one.keys()
    for name, tensor in one.items():
        if tensor.is_floating_point() and "running" not in name:
            torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-5)
    assert_test_figures(tmp_path / "two", street)


def test_mixed_precision_trains_too(street: Path, tmp_path: Path) -> None:
    result = train(street, tmp_path, epochs=1, precision="bfloat16", accumulate=2)
    assert result.test_figures is not None
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert 0 < line["training_loss"] < 20


def test_the_backbone_may_start_with_trained_weights(
    street: Path, tmp_path: Path, undisturbed: Path
) -> None:
    torch.manual_seed(0)
    classifier = build(GENOTYPE, "imagenet", channels=4, cells=3, num_classes=7)
    torch.save(classifier.state_dict(), tmp_path / "weights.pt")
    out = tmp_path / "out"
    train(street, out, backbone=tmp_path / "weights.pt", learning_rate=0.0, epochs=1)
    network, _, _ = open_network(out / "network.safetensors", GENOTYPE)
    own = dict(network.backbone.network.named_parameters())
    assert own
    for name, parameter in own.items():
        assert torch.equal(parameter, classifier.get_parameter(name))
    with pytest.raises(SearchError, match="started with weights of the backbone '"):
        train(street, out, learning_rate=0.0, epochs=1)


def test_weights_of_another_backbone_are_refused(
    street: Path, tmp_path: Path, undisturbed: Path
) -> None:
    with pytest.raises(ValueError, match=r"must be the weights of a classifier; weights file '.*'"):
        train(street, tmp_path / "out", backbone=undisturbed / "network.safetensors")
    classifier = build(GENOTYPE, "imagenet", channels=8, cells=3, num_classes=7)
    torch.save(classifier.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"weights file '.*weights.pt' is of another network"):
        train(street, tmp_path / "out", backbone=tmp_path / "weights.pt")


def test_what_a_task_cannot_use_is_refused(street: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cutout must be 0 or false, because it has no effect"):
        train(street, tmp_path, cutout=8)
    with pytest.raises(ValueError, match="reads a map at stride 16, but backbones of the family"):
        train(street, tmp_path, family="cifar")
    images: Images = tiny_images(20)
    with pytest.raises(DataError, match="images for task segmentation must be Samples"):
        training_run(GENOTYPE, images, recipe=RECIPE, seed=0, out=tmp_path, task=SEGMENTATION)
    other = replace(samples(street, train=False), classes=("road",))
    with pytest.raises(DataError, match="must have the classes of the training images"):
        training_run(
            GENOTYPE,
            samples(street, train=True),
            recipe=RECIPE,
            seed=0,
            out=tmp_path,
            test=other,
            task=SEGMENTATION,
        )
