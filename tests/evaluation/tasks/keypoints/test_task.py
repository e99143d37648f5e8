"""The task of keypoints: its data, what a short training learns, drawings and exports."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation import open_network
from relativenas_optuna.evaluation.tasks.keypoints import head
from relativenas_optuna.evaluation.tasks.keypoints.joints import COCO_JOINTS
from relativenas_optuna.evaluation.tasks.keypoints.task import KEYPOINTS
from relativenas_optuna.training import DataError
from tests.helpers.small_keypoints import GENOTYPE, RECIPE, samples, train
from tests.helpers.small_standalone import weights
from tests.helpers.stick_figures import JOINTS, write_coco
from tests.helpers.task_networks import small_backbone
from tests.helpers.tiny_search import same_bits

MARGIN = 0.2
"""Average precision by which a short training must beat a prediction that sees no image."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("coco"), train=6, val=4)


def mean_pose_precision(folder: Path, size: int) -> float:
    """Return the average precision of the mean place of each keypoint of the training persons."""
    training, test = (samples(folder, train=part, size=size) for part in (True, False))
    joints = [target["joints"] for _, targets in training.batches(8) for target in targets]
    mean = torch.stack(joints).mean(dim=0)
    meter = KEYPOINTS.meter(test)
    for _, targets in test.batches(8):
        meter.update(mean.expand(len(targets), -1, -1), targets)
    return meter.result()["AP"]


@pytest.mark.slow
def test_a_short_training_finds_joints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_CHANNELS", 16)
    folder = write_coco(tmp_path / "coco", train=64, val=12)
    result = train(
        folder,
        tmp_path / "out",
        size=96, channels=8, epochs=10, batch_size=4, learning_rate=5e-3,
    )  # fmt: skip
    assert result.test_figures is not None
    assert next(iter(result.test_figures)) == "AP"
    assert result.test_figures["AP"] > mean_pose_precision(folder, 96) + MARGIN


def test_a_crop_is_three_quarters_as_wide_as_tall(folder: Path) -> None:
    for size, shape in ((256, (3, 256, 192)), (96, (3, 96, 64)), (32, (3, 32, 32))):
        found = samples(folder, train=True, size=size)
        assert found.shape == shape
        assert next(found.batches(2))[0].shape == (2, *shape)
    with pytest.raises(ValueError, match="size must be a multiple of 32 pixels for keypoints"):
        samples(folder, train=True, size=100)


def test_a_folder_without_part_val_has_no_test_persons(tmp_path: Path) -> None:
    folder = write_coco(tmp_path, train=2, val=0)
    assert KEYPOINTS.load(str(folder), RECIPE, train=False) is None
    with pytest.raises(DataError, match="must have annotations/, train2017/ and val2017/"):
        KEYPOINTS.load(str(tmp_path / "missing"), RECIPE, train=True)


def test_data_with_other_keypoints_than_the_network_is_refused(folder: Path) -> None:
    found = KEYPOINTS.load(str(folder), RECIPE, train=False, classes=JOINTS)
    assert found is not None
    assert found.classes == JOINTS
    with pytest.raises(DataError, match="they differ in 'head'"):
        KEYPOINTS.load(str(folder), RECIPE, train=False, classes=COCO_JOINTS)


def test_a_training_is_the_same_twice_and_its_file_gives_its_figures(
    folder: Path, tmp_path: Path
) -> None:
    results = [train(folder, tmp_path / name) for name in ("first", "second")]
    assert same_bits(weights(tmp_path / "first"), weights(tmp_path / "second"))
    network, description, own = open_network(results[0].network, GENOTYPE)
    assert own
    assert (description.task, description.classes) == ("keypoints", JOINTS)
    test = samples(folder, train=False)
    meter = KEYPOINTS.meter(test)
    network.eval()
    with torch.no_grad():
        for inputs, targets in test.batches(4):
            meter.update(KEYPOINTS.predict(network, inputs), targets)
    assert meter.result() == pytest.approx(results[0].test_figures, abs=1e-3)


class Peak(torch.nn.Module):
    """A network whose heat map of each keypoint has its maximum at the brightest place."""

    mirrored = (1, 0)

    def forward(self, images: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(images, 4)


def test_a_prediction_averages_the_crop_and_its_mirror_image() -> None:
    images = torch.zeros(1, 2, 32, 32)
    images[0, 0, 8, 20], images[0, 1, 12, 4] = 16, 8
    # The mirror image swaps the keypoints back, so each has half of both maxima.
    place = [4 * 5.5, 4 * 2.5, 0.5]
    assert KEYPOINTS.predict(Peak(), images).tolist() == [[place, place]]


def test_the_loss_reads_heat_maps_and_ignores_keypoints_without_label(folder: Path) -> None:
    torch.manual_seed(0)
    network = KEYPOINTS.network(small_backbone(4), JOINTS)
    inputs, targets = next(samples(folder, train=True).batches(4))
    loss = KEYPOINTS.loss(network, inputs, targets, RECIPE)
    assert loss.requires_grad
    assert loss.shape == ()
    assert loss.item() > 0
    nothing = [{**target, "joints": 0 * target["joints"]} for target in targets]
    assert KEYPOINTS.loss(network, inputs, nothing, RECIPE).item() == 0


def test_a_prediction_can_be_drawn_with_and_without_its_target(folder: Path) -> None:
    found = samples(folder, train=False)
    image, target = found.records.read(0, augment=False)
    prediction = target["joints"] + torch.tensor([8.0, 0, 0])
    alone = KEYPOINTS.draw(image, prediction, None, JOINTS)
    both = KEYPOINTS.draw(image, prediction, target, JOINTS)
    assert alone.size == both.size
    assert alone.tobytes() != both.tobytes()
