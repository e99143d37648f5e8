"""Check the image and the label of one item of a user's data set."""

from __future__ import annotations

import operator

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import functional

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import DEEP_MODES, opaque

_GREY = ("1", "L", "LA")  # Pillow's modes of one colour, with 8 bits or less
_MOST_CHANNELS = 4  # a first or last dimension of at most this size is taken for the channels


def item_tensor(image: object, number: int, size: int | None) -> Tensor:
    """Return an image as a uint8 or float32 tensor `[c, h, w]`.

    Args:
        image: PIL image, array or tensor; see `images_of`.
        number: Number of the item, for messages.
        size: Side in pixels to which the image is brought: its shorter side is resized, then the
            centre is cropped. None for no change.

    Raises:
        DataError: It is no image of these kinds, or has more than 8 bits a channel.
    """
    if isinstance(image, Image.Image):
        if image.mode in DEEP_MODES:
            raise DataError(
                f"image {number} has more than 8 bits a channel (mode {image.mode}); convert "
                f"it to 8 bits or to a float tensor"
            )
        image = opaque(ImageOps.exif_transpose(image))
        image = image.convert("L" if image.mode in _GREY else "RGB")
        if size is not None:
            image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
        image = np.asarray(image)
    if isinstance(image, np.ndarray) and image.dtype.kind in "uf" and image.ndim in (2, 3):
        if image.ndim == 3 and image.shape[2] > _MOST_CHANNELS >= image.shape[0]:
            raise DataError(
                f"an array must be [h, w, c], image {number} is {list(image.shape)}: give a "
                f"tensor if channels come first"
            )
        # torch.from_numpy takes no read-only or reversed views, no foreign byte order and no
        # long doubles; a copy has none of them.
        kind = np.dtype(np.float32) if image.dtype.kind == "f" else image.dtype
        own = np.array(image, dtype=kind.newbyteorder("="))
        tensor = torch.from_numpy(own if own.ndim == 3 else own[..., None])
        tensor = tensor.permute(2, 0, 1)
    elif isinstance(image, Tensor) and image.dim() in (2, 3):
        tensor = image.detach().cpu()
        if tensor.dim() == 3 and tensor.shape[0] > _MOST_CHANNELS >= tensor.shape[2]:
            raise DataError(
                f"a tensor must be [c, h, w], image {number} is {list(tensor.shape)}: give an "
                f"array, or tensor.permute(2, 0, 1), if channels come last"
            )
        tensor = tensor if tensor.dim() == 3 else tensor[None]
    else:
        raise _no_image(image, number)
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32)
        if not tensor.isfinite().all():
            raise DataError(f"image {number} has values that are not finite")
    if tensor.dtype not in (torch.uint8, torch.float32) or 0 in tensor.shape:
        raise _no_image(image, number)
    if size is not None and tensor.shape[1:] != (size, size):
        tensor = functional.center_crop(functional.resize(tensor, [size], antialias=True), [size])
    return tensor


def _no_image(image: object, number: int) -> DataError:
    return DataError(
        f"an image must be a PIL image, a uint8 or float array [h, w, c] or a tensor [c, h, w], "
        f"image {number} is {kind_of(image)}"
    )


def require_alike(first: Tensor, tensor: Tensor, number: int, of: str = "of image 0") -> None:
    """Raise if an image has not the size, the channels and the type of the first one.

    Args:
        first: First image, `[c, h, w]`.
        tensor: Image, `[c, h, w]`.
        number: Number of the image.
        of: Words for the first image.

    Raises:
        DataError: They differ.
    """
    if tensor.shape[1:] != first.shape[1:]:
        raise DataError(
            f"images must have one size, but that {of} is {_size(first)} and that of image "
            f"{number} is {_size(tensor)}: give a size (size=64), or resize them by "
            f"torchvision.transforms.Resize((h, w)) in the data set"
        )
    if tensor.shape != first.shape or tensor.dtype != first.dtype:
        raise DataError(
            f"images must have one type, but that {of} is {kind_of(first)} and that of image "
            f"{number} is {kind_of(tensor)}: convert them in the data set"
        )


def item_label(label: object, number: int) -> int:
    """Return a label as a number.

    Raises:
        DataError: It is no whole number from 0.
    """
    try:
        value = operator.index(label)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        value = -1
    if value < 0:
        raise DataError(
            f"labels must be whole numbers from 0, the label of item {number} is {brief(label)}"
        )
    return value


def _size(tensor: Tensor) -> str:
    return f"{tensor.shape[2]}x{tensor.shape[1]}"


def kind_of(value: object) -> str:
    """Return the type of a value, with the shape of an array or tensor, for a message."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} {value.dtype} {list(value.shape)}"
    return type(value).__name__


def brief(value: object) -> str:
    """Return a value in at most 80 characters of one line, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
