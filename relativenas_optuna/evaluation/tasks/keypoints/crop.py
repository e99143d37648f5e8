"""Crop a person from an image by an affine map, and move keypoints between both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

Array = npt.NDArray[np.float64]

_MARGIN = 1.25
"""Size of a crop as a multiple of the box, as in the code of Xiao et al."""
_SCALE = 0.3
_ANGLE = 40.0


class View(NamedTuple):
    """The way a person is cropped; the default is the one for evaluation.

    Attributes:
        scale: Factor of the size of the crop's region in the image.
        angle: Rotation of this region in degrees.
        mirror: True to mirror the crop.
    """

    scale: float = 1.0
    angle: float = 0.0
    mirror: bool = False


def random_view(*, flip: bool) -> View:
    """Draw a view for training from torch's global generator.

    The scale is uniform from 0.7 to 1.3, and the angle from -40 to 40 degrees. The ranges are those
    of Xiao et al., section 3.

    Args:
        flip: True to mirror half of the views.
    """
    first, second, third = torch.rand(3, dtype=torch.float64).tolist()
    return View(
        scale=1 + _SCALE * (2 * first - 1),
        angle=_ANGLE * (2 * second - 1),
        mirror=flip and third < 0.5,
    )


def crop_to_image(box: Array, size: tuple[int, int], view: View) -> Array:
    """Return the affine map from pixels of a crop to pixels of its image.

    The region of the crop is the box, made as tall or as wide as the shape of the crop needs, and
    enlarged by 1.25.

    Args:
        box: Left, top, width and height in pixels of the image, `[4]`; width and height above 0.
        size: Height and width of the crop in pixels.
        view: The way the person is cropped.

    Returns:
        `[2, 3]`; the map of a point (x, y) is this matrix times (x, y, 1).
    """
    height, width = size
    left, top, box_width, box_height = box
    # Image pixels per pixel of the crop.
    ratio = view.scale * _MARGIN * max(box_width / width, box_height / height)
    angle = np.deg2rad(view.angle)
    turn = ratio * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if view.mirror:
        turn[:, 0] *= -1
    centre = np.array([left + box_width / 2, top + box_height / 2])
    offset = centre - turn @ np.array([width / 2, height / 2])
    return np.column_stack([turn, offset])


def inverse(affine: Array) -> Array:
    """Return the inverse of an affine map `[2, 3]`."""
    turn = np.linalg.inv(affine[:, :2])
    return np.column_stack([turn, -turn @ affine[:, 2]])


def move(points: Array, affine: Array) -> Array:
    """Return points `[..., 2]` after an affine map `[2, 3]`."""
    moved: Array = points @ affine[:, :2].T + affine[:, 2]
    return moved


def crop(image: Image.Image, affine: Array, size: tuple[int, int]) -> Image.Image:
    """Return the crop of an image; pixels outside of the image are black.

    Args:
        image: RGB image.
        affine: Map from pixels of the crop to pixels of the image, `[2, 3]`.
        size: Height and width of the crop in pixels.
    """
    height, width = size
    coefficients = tuple(affine.ravel().tolist())
    return image.transform(
        (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )


def keypoints_in_crop(
    keypoints: Array,
    affine: Array,
    size: tuple[int, int],
    image_size: tuple[int, int],
) -> Array:
    """Return the keypoints of a person in pixels of a crop.

    Args:
        keypoints: x, y in pixels of the image, and visibility, `[K, 3]`.
        affine: Map from pixels of the crop to pixels of the image, `[2, 3]`.
        size: Height and width of the crop in pixels.
        image_size: Width and height of the image in pixels.

    Returns:
        x, y in pixels of the crop, and 1 for a keypoint to train on, `[K, 3]`. Keypoints that are
        not labelled, or lie outside of the image or the crop, are 0, 0, 0.
    """
    height, width = size
    points = move(keypoints[:, :2], inverse(affine))
    used = keypoints[:, 2] > 0
    for corner, xy in ((image_size, keypoints[:, :2]), ((width, height), points)):
        used &= ((xy >= 0) & (xy < np.array(corner))).all(axis=1)
    return np.where(used[:, None], np.column_stack([points, np.ones(len(points))]), 0.0)
