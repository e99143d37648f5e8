"""Heat maps of keypoints: targets, loss and decoding.

Source: Xiao, Wu, Wei, Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018. Unlike
in their code, the centre of a target is not rounded to a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

STRIDE = 4
"""Side of a cell of a heat map, in pixels of the crop."""
_SIGMA = 2.0
"""Standard deviation of a target, in cells."""


def target_heatmaps(joints: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a Gaussian around each keypoint, with the largest value 1 at the keypoint.

    Args:
        joints: x, y in pixels of the crop, and 1 for a keypoint to train on or 0; `[b, K, 3]`.
        size: Height and width of the heat maps in cells.

    Returns:
        `[b, K, height, width]`, with the type and device of `joints`.
    """
    x, y = (
        torch.arange(cells, dtype=joints.dtype, device=joints.device) + 0.5
        for cells in reversed(size)
    )
    centres = joints[..., :2, None] / STRIDE
    across = (x - centres[..., 0, :]).square()
    down = (y - centres[..., 1, :]).square()
    return torch.exp(-(down[..., :, None] + across[..., None, :]) / (2 * _SIGMA**2))


def heatmap_loss(heatmaps: Tensor, joints: Tensor) -> Tensor:
    """Return the mean squared error of heat maps, averaged over the persons.

    A keypoint that is not to be trained on counts as an error of 0.

    Args:
        heatmaps: Output of the network, `[b, K, h, w]`.
        joints: x, y in pixels of the crop, and 1 for a keypoint to train on or 0; `[b, K, 3]`.
    """
    targets = target_heatmaps(joints, (heatmaps.shape[-2], heatmaps.shape[-1]))
    errors = (heatmaps.float() - targets).square().mean(dim=(2, 3))
    return (errors * joints[..., 2]).mean()


def decode(heatmaps: Tensor) -> Tensor:
    """Return the place and value of the maximum of each heat map.

    The place is the centre of the cell with the largest value, moved by a quarter of a cell to the
    larger neighbour in each direction. At the border of a map it is not moved.

    Args:
        heatmaps: `[b, K, h, w]`.

    Returns:
        x, y in pixels of the crop, and the value; float32, `[b, K, 3]`.
    """
    heatmaps = heatmaps.float()
    values, cells = heatmaps.flatten(2).max(dim=2, keepdim=True)
    width = heatmaps.shape[3]
    across = pad((heatmaps[..., 2:] - heatmaps[..., :-2]).sign(), (1, 1))
    down = pad((heatmaps[..., 2:, :] - heatmaps[..., :-2, :]).sign(), (0, 0, 1, 1))
    x, y = (
        cell + 0.5 + 0.25 * towards.flatten(2).gather(2, cells)
        for cell, towards in ((cells % width, across), (cells // width, down))
    )
    return torch.cat([STRIDE * x, STRIDE * y, values], dim=2)


def mirror_averaged(
    network: Callable[[Tensor], Tensor], images: Tensor, mirrored: Sequence[int]
) -> Tensor:
    """Return the mean of the heat maps of crops and of their mirror images (flip test).

    Args:
        network: Network from crops to heat maps, in evaluation mode.
        images: Crops `[b, 3, h, w]`, normalised.
        mirrored: For each keypoint the index of the one that it becomes in a mirror image.

    Returns:
        float32, `[b, K, h / 4, w / 4]`.
    """
    other = network(images.flip(-1)).flip(-1)[:, list(mirrored)]
    return (network(images).float() + other.float()) / 2
