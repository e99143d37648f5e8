"""Read images with masks, and augment both alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from relativenas_optuna.evaluation.tasks.segmentation.folders import IGNORED
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import open_image

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.tasks.segmentation.folders import ListedMasks

SCALES = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
"""Scales of an image before a crop is taken, as in BiSeNet (Yu et al. 2018)."""
LEAST_SIDE = 32
"""Least height and width of an image in pixels, the largest stride of the backbone."""
_GREY = (124, 116, 104)  # the mean colour of ImageNet, around images that are smaller than a crop
_FORMATS = ("PNG", "TIFF", "BMP", "GIF")  # without loss


@dataclass(frozen=True)
class MaskRecords:
    """Images with masks; see `Records`.

    The augmentation is a random scale, a random crop and a mirror image.

    Attributes:
        listed: Paths of the images and masks, and the classes of pixels.
        crop: Height and width of a crop for training in pixels.
        flip: True to mirror images at random.
    """

    listed: ListedMasks
    crop: int
    flip: bool

    def __len__(self) -> int:
        return len(self.listed.images)

    def read(self, index: int, *, augment: bool) -> tuple[Tensor, Tensor]:
        """Return an image, uint8 `[3, h, w]`, and the class of its pixels, uint8 `[h, w]`.

        Raises:
            DataError: The image or mask cannot be read, or they do not fit together.
        """
        path, mask_path = self.listed.images[index], self.listed.masks[index]
        pixels = np.array(open_image(path))
        classes = _read_mask(mask_path, self.listed.ids)
        height, width = pixels.shape[:2]
        if classes.shape != (height, width):
            raise DataError(
                f"mask {mask_path!r} has {classes.shape[1]}x{classes.shape[0]} pixels, but image "
                f"{path!r} has {width}x{height}"
            )
        if min(height, width) < LEAST_SIDE:
            raise DataError(
                f"images for segmentation must have at least {LEAST_SIDE}x{LEAST_SIDE} pixels, "
                f"{path!r} has {width}x{height}"
            )
        image, mask = torch.from_numpy(pixels).permute(2, 0, 1), torch.from_numpy(classes)
        return self._augmented(image, mask) if augment else (image, mask)

    def _augmented(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        scale = SCALES[int(torch.randint(len(SCALES), ()))]
        size = [max(1, round(scale * side)) for side in mask.shape]
        fill: Any = {tv_tensors.Image: _GREY, tv_tensors.Mask: IGNORED}
        transform = v2.Compose(
            [
                v2.Resize(size),
                v2.RandomCrop(self.crop, pad_if_needed=True, fill=fill),
                v2.RandomHorizontalFlip(0.5 if self.flip else 0.0),
            ]
        )
        image, mask = transform(tv_tensors.Image(image), tv_tensors.Mask(mask))
        return image.as_subclass(Tensor), mask.as_subclass(Tensor)

    def fingerprint(self) -> str:
        """Return a text that changes with names and sizes of files and the augmentation."""
        of = self.listed
        found = sha256(repr((of.classes, sorted(of.ids.items()), self.crop, self.flip)).encode())
        for path in (*of.images, *of.masks):
            found.update(f"{Path(path).name} {Path(path).stat().st_size}\n".encode())
        return found.hexdigest()


def _read_mask(path: str, ids: Mapping[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the class of each pixel of a mask, uint8 `[h, w]`."""
    try:
        with Image.open(path, formats=_FORMATS) as file:
            if file.mode not in ("L", "P", "1"):
                raise DataError(f"its mode is {file.mode}, and must be 8-bit grey or a palette")
            values = np.array(file, dtype=np.uint8)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow's plug-ins raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"mask {path!r} cannot be read: {reason}") from error
    table = np.zeros(256, dtype=np.uint8)
    known = np.zeros(256, dtype=np.bool_)
    for value, label in ids.items():
        table[value], known[value] = label, True
    unknown = np.unique(values[~known[values]])
    if len(unknown):
        raise DataError(f"mask {path!r} has the unknown label id {unknown[0]}")
    return table[values]
