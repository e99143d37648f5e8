"""SSDLite: the published counts, its boxes, training and detections."""

from __future__ import annotations

import pytest
import torch

from relativenas_optuna.evaluation import SSDLite
from relativenas_optuna.networks import cost
from tests.helpers.networks import random_images
from tests.helpers.task_networks import parameters, small_backbone, without_gradient


def test_the_published_network_has_its_counts() -> None:
    with torch.device("meta"):
        network = SSDLite("RelativeNAS")
    assert parameters(network) == 5_069_824
    assert cost(network.raw_outputs(), (3, 320, 320)).multiply_adds == pytest.approx(
        1_203e6, rel=0.01
    )


def test_there_are_3234_default_boxes_of_the_published_scales() -> None:
    network = SSDLite(small_backbone(3, 4), num_classes=3).eval()
    with torch.no_grad():
        logits, offsets = network.raw_outputs()(random_images(1, 3, 320, 320))
    assert logits.shape == (1, 3_234, 3)
    assert offsets.shape == (1, 3_234, 4)
    # Liu et al., SSD, ECCV 2016: evenly spaced scales, and ratios 1, 2, 3, 1/2 and 1/3.
    scales = network.anchor_generator.scales
    assert scales == pytest.approx([0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0])
    ratios = {round(float(w / h), 3) for w, h in network.anchor_generator._wh_pairs[0]}
    assert ratios == {1.0, 2.0, 3.0, 0.5, 0.333}


def test_it_trains_and_detects_as_torchvisions_detectors_do() -> None:
    torch.manual_seed(0)
    network = SSDLite(small_backbone(3, 4), num_classes=3, detections_per_img=7)
    images = [*random_images(1, 3, 50, 80), *random_images(1, 3, 60, 40)]
    targets = [
        {"boxes": torch.tensor([[5.0, 5.0, 45.0, 40.0]]), "labels": torch.tensor([2])},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    losses = network(images, targets)
    assert set(losses) == {"bbox_regression", "classification"}
    sum(losses.values()).backward()
    assert without_gradient(network) == []
    found = network.eval()(images)
    assert [len(one["boxes"]) for one in found] == [7, 7]
    assert all(one["boxes"].min() >= 0 and one["boxes"].max() <= 80 for one in found)
    assert {label for one in found for label in one["labels"].tolist()} <= {1, 2}


def test_it_learns_where_an_object_is() -> None:
    torch.manual_seed(0)
    network = SSDLite(small_backbone(3, 4), num_classes=2)
    image = torch.zeros(3, 64, 64)
    image[:, 10:40, 20:50] = 1
    targets = [{"boxes": torch.tensor([[20.0, 10.0, 50.0, 40.0]]), "labels": torch.tensor([1])}] * 2
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    first = last = 0.0
    for _ in range(8):
        loss = sum(network([image, image], targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = first or loss.item(), loss.item()
    assert last < first / 2


def test_a_number_of_classes_without_an_object_is_refused() -> None:
    with pytest.raises(ValueError, match="num_classes must be at least 2 with the background"):
        SSDLite(small_backbone(3, 4), num_classes=1)


@pytest.mark.slow
def test_raw_outputs_can_be_exported() -> None:
    raw = SSDLite(small_backbone(3, 4), num_classes=3).eval().raw_outputs()
    images = random_images(2, 3, 320, 320)
    exported = torch.export.export(raw, (images,)).module()
    for x, y in zip(exported(images), raw(images), strict=True):
        torch.testing.assert_close(x, y)
