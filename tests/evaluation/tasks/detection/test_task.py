"""Detection as a task: what is learnt, the loss, and the network for export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from relativenas_optuna.evaluation.tasks.detection.task import DETECTION
from relativenas_optuna.evaluation.tasks.samples import Samples
from tests.helpers.networks import random_images
from tests.helpers.task_networks import small_backbone
from tests.helpers.voc_folder import add_image, write_voc

SMALL = replace(DETECTION.recipe, size=96)
EMPTY = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
ONE = {"boxes": torch.tensor([[20.0, 30, 70, 80]]), "labels": torch.tensor([2])}


def loaded(folder: Path, *, train: bool = True) -> Samples:
    found = DETECTION.load(str(folder), SMALL, train=train)
    assert found is not None
    return found


def small_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return DETECTION.network(small_backbone(3, 4), ("disc", "square"))


def measured(network: nn.Module, samples: Samples) -> dict[str, float]:
    meter = DETECTION.meter(samples)
    with torch.no_grad():
        for inputs, targets in samples.batches(8):
            meter.update(DETECTION.predict(network.eval(), inputs), targets)
    return meter.result()


@pytest.mark.slow
def test_shapes_of_other_images_are_found_after_a_short_training(tmp_path: Path) -> None:
    """Without augmentation, which is tested by itself. Initial weights find 0.01 to 0.03."""
    devkit = write_voc(tmp_path / "VOCdevkit", training=32, test=24, most=1)
    samples, test = loaded(devkit), loaded(devkit, train=False)
    network = small_network()
    assert measured(network, test)["voc2007_map"] < 0.05
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=56)
    batches = list(samples.batches(8))
    network.train()
    for _ in range(14):
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss = DETECTION.loss(network, inputs, targets, SMALL)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    assert measured(network, test)["voc2007_map"] > 0.15


def test_the_classes_of_the_samples_are_those_of_the_data(tmp_path: Path) -> None:
    devkit = write_voc(tmp_path / "VOCdevkit", training=2, test=0)
    assert loaded(devkit).classes == ("disc", "square")
    assert loaded(devkit).shape == (3, 96, 96)
    assert DETECTION.load(str(devkit), SMALL, train=False) is None


def test_a_size_below_the_largest_stride_is_refused(tmp_path: Path) -> None:
    devkit = write_voc(tmp_path / "VOCdevkit", training=2, test=0)
    with pytest.raises(ValueError, match="size must be at least 32 pixels for detection; got 31"):
        DETECTION.load(str(devkit), replace(SMALL, size=31), train=True)


def test_batches_follow_from_the_seed_in_this_and_another_process(tmp_path: Path) -> None:
    devkit = write_voc(tmp_path / "VOCdevkit", training=4, test=0)
    index = [torch.tensor([2, 0]), torch.tensor([3, 1])]

    def flat(workers: int, seed: int) -> list[Tensor]:
        samples = DETECTION.load(str(devkit), SMALL, train=True, workers=workers)
        assert samples is not None
        return [
            tensor
            for images, targets in samples.pieces(index, seed)
            for tensor in (images, *(of[name] for of in targets for name in ("boxes", "labels")))
        ]

    first = flat(0, 5)
    assert all(torch.equal(x, y) for x, y in zip(first, flat(1, 5), strict=True))
    assert not torch.equal(first[0], flat(0, 6)[0])


def test_a_batch_without_any_object_has_a_finite_loss_and_gradient() -> None:
    network = small_network().train()
    loss = DETECTION.loss(network, random_images(2, 3, 96, 96), [EMPTY, EMPTY], SMALL)
    torch.autograd.backward(loss)
    assert loss.shape == ()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_the_loss_falls_with_right_boxes_and_classes() -> None:
    """The parts of the loss are torchvision's; their sum has a gradient for all layers."""
    network = small_network().train()
    images = random_images(2, 3, 96, 96)
    losses = network(images, [ONE, EMPTY])
    loss = DETECTION.loss(network, images, [ONE, EMPTY], SMALL)
    assert loss.item() == pytest.approx(sum(losses.values()).item(), rel=1e-5)


def test_it_trains_in_bfloat16() -> None:
    network = small_network().train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = DETECTION.loss(network, random_images(2, 3, 96, 96), [ONE, EMPTY], SMALL)
    torch.autograd.backward(loss)
    assert loss.isfinite()


def test_detections_are_in_pixels_of_the_prepared_image() -> None:
    network = small_network().eval()
    with torch.no_grad():
        (found,) = DETECTION.predict(network, random_images(1, 3, 96, 96))
    assert set(found) == {"boxes", "scores", "labels"}
    assert found["boxes"].min() >= 0
    assert 48 < found["boxes"].max() <= 96


def test_an_image_and_its_detections_are_drawn(tmp_path: Path) -> None:
    image = torch.zeros(3, 96, 96, dtype=torch.uint8)
    prediction = ONE | {"scores": torch.tensor([0.75])}
    drawn = DETECTION.draw(image, prediction, ONE, ("disc", "square"))
    assert (drawn.size, drawn.mode) == ((96, 96), "RGB")


def test_the_exported_scores_and_boxes_give_the_detections() -> None:
    """The best detection is among the scores and boxes of the exported network."""
    network: Any = small_network().eval()
    images = random_images(3, 3, 96, 96)
    serving = DETECTION.serving(network)
    with torch.no_grad():
        scores, boxes = serving(images)
        found = DETECTION.predict(network, images)
    assert scores.shape == (*boxes.shape[:2], 3)
    torch.testing.assert_close(scores.sum(-1), torch.ones(scores.shape[:2]))
    for one, image_scores, image_boxes in zip(found, scores, boxes, strict=True):
        best = image_scores[:, 1:].flatten().argmax().item()
        assert one["labels"][0] == 1 + best % 2
        torch.testing.assert_close(one["scores"][0], image_scores[best // 2, 1 + best % 2])
        torch.testing.assert_close(one["boxes"][0], image_boxes[best // 2])


@pytest.mark.slow
def test_onnxruntime_computes_the_same_for_any_batch(tmp_path: Path) -> None:
    serving = DETECTION.serving(small_network().eval())
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(
        serving, (torch.zeros(2, 3, 96, 96),), dynamic_shapes={"images": {0: batch}}
    )
    exported = torch.onnx.export(program, input_names=["images"], verbose=False, dynamo=True)
    assert exported is not None
    session = onnxruntime.InferenceSession(exported.model_proto.SerializeToString())
    for count in (1, 3):
        images = random_images(count, 3, 96, 96)
        with torch.no_grad():
            expected = serving(images)
        for x, y in zip(session.run(None, {"images": images.numpy()}), expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(x), y, rtol=1e-4, atol=1e-3)
        for x, y in zip(program.module()(images), expected, strict=True):
            torch.testing.assert_close(x, y)


def test_all_kinds_of_images_make_one_batch(tmp_path: Path) -> None:
    """A grey image, one without objects, and other sizes; SSD resizes them all."""
    add_image(tmp_path / "VOC2007", "a", [], Image.new("L", (50, 90), 99))
    add_image(tmp_path / "VOC2007", "b", [], Image.new("RGB", (300, 20)))
    samples = loaded(tmp_path)
    ((inputs, targets),) = samples.pieces([torch.tensor([0, 1])], 0)
    assert inputs.shape == (2, 3, 96, 96)
    assert [len(of["labels"]) for of in targets] == [0, 0]
