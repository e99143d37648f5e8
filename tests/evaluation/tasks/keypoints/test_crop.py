"""The affine map of a crop: its region, its rotation and mirror image, keypoints in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from relativenas_optuna.evaluation.tasks.keypoints.crop import (
    View,
    crop,
    crop_to_image,
    inverse,
    keypoints_in_crop,
    move,
    random_view,
)

SIZE = (256, 192)
CORNERS = np.array([[0.0, 0.0], [192.0, 256.0]])


@pytest.mark.parametrize(
    ("box", "region"),
    [
        # 30x40 has the shape 3:4; both sides grow by 1.25.
        ([100, 50, 30, 40], [[96.25, 45], [133.75, 95]]),
        # A wide box becomes taller, and a tall one wider, around its centre.
        ([100, 50, 30, 10], [[96.25, 30], [133.75, 80]]),
        ([100, 50, 6, 40], [[84.25, 45], [121.75, 95]]),
    ],
)
def test_the_region_is_the_box_in_the_shape_of_the_crop_and_a_quarter_larger(
    box: list[float], region: list[list[float]]
) -> None:
    affine = crop_to_image(np.array(box, dtype=float), SIZE, View())
    np.testing.assert_allclose(move(CORNERS, affine), region)


def test_a_rotated_and_mirrored_crop_has_its_keypoints_on_the_same_pixels() -> None:
    """Dots of an image and keypoints are moved independently, and must stay together."""
    pixels = np.zeros((120, 160, 3), dtype=np.uint8)
    dots = [(60, 40), (90, 70), (75, 55)]
    for number, (x, y) in enumerate(dots):
        pixels[y - 2 : y + 3, x - 2 : x + 3, number] = 255
    keypoints = np.array([(x + 0.5, y + 0.5, 2) for x, y in dots])
    view = View(scale=1.2, angle=33, mirror=True)
    affine = crop_to_image(np.array([50.0, 30, 50, 50]), SIZE, view)
    found = np.asarray(crop(Image.fromarray(pixels), affine, SIZE), dtype=float)
    moved = keypoints_in_crop(keypoints, affine, SIZE, (160, 120))
    assert moved[:, 2].tolist() == [1, 1, 1]
    for number, (x, y) in enumerate(moved[:, :2]):
        rows, columns = np.nonzero(found[..., number] > 127)
        assert abs(columns.mean() + 0.5 - x) < 0.3
        assert abs(rows.mean() + 0.5 - y) < 0.3
    assert (moved[1] - moved[0])[0] < 0  # mirrored: the right dot is on the left


def test_the_inverse_moves_points_back() -> None:
    affine = crop_to_image(np.array([50.0, 30, 50, 50]), SIZE, View(0.8, -20, True))
    points = np.random.default_rng(0).uniform(0, 200, (5, 2))
    np.testing.assert_allclose(move(move(points, affine), inverse(affine)), points)


def test_pixels_outside_of_the_image_are_black() -> None:
    white = Image.new("RGB", (40, 40), "white")
    found = np.asarray(crop(white, crop_to_image(np.array([0.0, 0, 30, 40]), SIZE, View()), SIZE))
    assert (found[:, :18] == 0).all()
    assert (found[30:220, 30:] == 255).all()


def test_only_labelled_keypoints_inside_of_image_and_crop_are_trained_on() -> None:
    affine = crop_to_image(np.array([60.0, 60, 30, 40]), SIZE, View())  # 56.25 to 93.75
    keypoints = np.array(
        [
            (70, 70, 2),
            (70, 70, 1),  # hidden
            (70, 70, 0),  # not labelled
            (20, 70, 2),  # outside of the crop
            (85, 70, 2),  # outside of the image
        ],
        dtype=float,
    )
    found = keypoints_in_crop(keypoints, affine, SIZE, (80, 120))
    assert found[:, 2].tolist() == [1, 1, 0, 0, 0]
    assert (found[2:] == 0).all()


def test_random_views_stay_in_their_ranges() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        views = [random_view(flip=True) for _ in range(300)]
        plain = [random_view(flip=False) for _ in range(20)]
    assert 0.7 <= min(view.scale for view in views) < 0.75
    assert 1.25 < max(view.scale for view in views) <= 1.3
    assert -40 <= min(view.angle for view in views) < -35
    assert 35 < max(view.angle for view in views) <= 40
    assert 100 < sum(view.mirror for view in views) < 200
    assert not any(view.mirror for view in plain)
