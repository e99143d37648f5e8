"""Heat maps: the values of targets and of the loss, and places that are decoded."""

from __future__ import annotations

import math

import pytest
import torch

from relativenas_optuna.evaluation.tasks.keypoints.heatmaps import (
    decode,
    heatmap_loss,
    mirror_averaged,
    target_heatmaps,
)


def joints(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor([rows])


def test_a_target_is_a_gaussian_of_two_cells_around_the_keypoint() -> None:
    target = target_heatmaps(joints((22.0, 14.0, 1.0)), (8, 12))  # the centre of cell (3, 5)
    assert target.shape == (1, 1, 8, 12)
    assert target[0, 0, 3, 5] == 1
    assert target[0, 0, 3, 7].item() == pytest.approx(math.exp(-0.5))
    assert target[0, 0, 5, 4].item() == pytest.approx(math.exp(-(2**2 + 1) / 8))


def test_the_loss_is_the_squared_error_over_keypoints_to_train_on() -> None:
    wanted = joints((22.0, 14.0, 1.0), (0.0, 0.0, 0.0))
    heatmaps = target_heatmaps(wanted, (8, 12))
    heatmaps[0, 0, 2, 2] += 3
    heatmaps[0, 1] = 100  # not to be trained on
    assert heatmap_loss(heatmaps, wanted).item() == pytest.approx(9 / 96 / 2, rel=1e-5)


def test_the_loss_of_a_batch_is_the_mean_of_its_parts() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(4, 3, 3) * 30
    wanted[..., 2] = torch.tensor([1.0, 0.0, 1.0])
    heatmaps = torch.rand(4, 3, 8, 12)
    parts = [heatmap_loss(heatmaps[s], wanted[s]) for s in (slice(2), slice(2, 4))]
    torch.testing.assert_close(heatmap_loss(heatmaps, wanted), sum(parts) / 2)


def test_a_decoded_target_is_at_most_a_quarter_of_a_cell_away() -> None:
    torch.manual_seed(1)
    wanted = torch.rand(50, 2, 3) * torch.tensor([32.0, 48.0, 0.0]) + 8  # away from the border
    found = decode(target_heatmaps(wanted, (16, 12)))
    assert (found[..., :2] - wanted[..., :2]).abs().max() <= 1 + 1e-4
    assert (found[..., 2] > 0.9).all()


def test_the_maximum_moves_by_a_quarter_to_its_larger_neighbours() -> None:
    heatmaps = torch.zeros(1, 2, 6, 7)
    heatmaps[0, 0, 2, 3] = 5
    heatmaps[0, 0, 2, 4], heatmaps[0, 0, 1, 3] = 2, 1
    heatmaps[0, 1, 0, 6] = 4  # at the border
    assert decode(heatmaps).tolist() == [[[4 * 3.75, 4 * 2.25, 5], [4 * 6.5, 4 * 0.5, 4]]]


def test_mirror_averaging_swaps_partners_back() -> None:
    """For a network that commutes with mirroring, the mean is its own output."""

    def network(images: torch.Tensor) -> torch.Tensor:
        """Left and right keypoints: the images, and the images times a ramp from the right."""
        ramp = torch.arange(images.shape[-1], dtype=torch.float32)
        return torch.cat([images * ramp, images * ramp.flip(0)], dim=1)

    images = torch.rand(2, 1, 4, 6)
    torch.testing.assert_close(mirror_averaged(network, images, [1, 0]), network(images))
    assert not torch.equal(mirror_averaged(network, images, [0, 1]), network(images))
