"""Crops of annotated persons, as records of `Samples`."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from relativenas_optuna.evaluation.tasks.keypoints.annotations import Annotations
from relativenas_optuna.evaluation.tasks.keypoints.crop import (
    Array,
    View,
    crop,
    crop_to_image,
    keypoints_in_crop,
    random_view,
)
from relativenas_optuna.evaluation.tasks.keypoints.joints import mirrored_joints
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import open_image


@dataclass(frozen=True, eq=False, kw_only=True)
class PersonRecords:
    """One crop for each annotated person.

    The target is a dictionary: "joints" has x and y in pixels of the crop, and 1 for a keypoint to
    train on or 0, float32 `[K, 3]`; "person" is the number of the record.

    Args:
        annotations: Images and their persons.
        size: Height and width of a crop in pixels.
        flip: True to mirror half of the crops for training.
    """

    annotations: Annotations
    size: tuple[int, int]
    flip: bool = True

    def __len__(self) -> int:
        return len(self.annotations.samples)

    def read(self, index: int, *, augment: bool) -> tuple[Tensor, dict[str, Any]]:
        """Return the crop of a person, uint8 `[3, h, w]`, and its target; see `Records`.

        Raises:
            DataError: The image cannot be read, or does not have its size in the annotations.
        """
        found = self.annotations
        person = found.samples[index]
        image = found.image[person]
        file, image_size = found.files[image], found.sizes[image]
        pixels = open_image(file)
        if pixels.size != image_size:
            raise DataError(
                f"image {file!r} must have the size in its annotations, "
                f"{'x'.join(map(str, image_size))}; got {'x'.join(map(str, pixels.size))}"
            )
        view = random_view(flip=self.flip) if augment else View()
        affine = crop_to_image(found.boxes[person], self.size, view)
        joints = keypoints_in_crop(found.keypoints[person], affine, self.size, image_size)
        if view.mirror:
            joints = joints[list(mirrored_joints(found.joints))]
        target = {"joints": torch.from_numpy(joints.astype(np.float32)), "person": index}
        return pil_to_tensor(crop(pixels, affine, self.size)), target

    def affine(self, index: int) -> Array:
        """Return the map from pixels of the crop for evaluation to pixels of the image, `[2, 3]`.

        Args:
            index: Number of the record.
        """
        box = self.annotations.boxes[self.annotations.samples[index]]
        return crop_to_image(box, self.size, View())

    def fingerprint(self) -> str:
        """Return a text that changes with the annotations, names of files and size of a crop."""
        found = self.annotations
        digest = sha256("\n".join(Path(file).name for file in found.files).encode())
        for array in (found.image, found.boxes, found.keypoints, found.samples):
            digest.update(np.ascontiguousarray(array).data)
        return repr((found.joints, self.size, self.flip, digest.hexdigest()))
