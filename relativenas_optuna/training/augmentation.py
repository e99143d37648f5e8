"""Augment whole batches by tensor operations on the device of the images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return `(images / 255 - mean) / std`.

    Take `mean` and `std` from `Images.statistics`, which scales them for float32 images.

    Args:
        images: uint8 or float32 images, `[b, c, h, w]`; they are not changed.
        mean: Mean of each channel, float32, `[c]`, in units of [0, 1].
        std: Standard deviation of each channel, float32, `[c]`, in the same units.

    Returns:
        float32, `[b, c, h, w]`.
    """
    scale = (1 / (255 * std)).view(-1, 1, 1)
    shift = (-mean / std).view(-1, 1, 1)
    return images.to(torch.float32, copy=True).mul_(scale).add_(shift)


@dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """Random choices for the images of a batch, each a tensor `[b]`.

    Args:
        top: First row of the crop in the padded image, 0..2*padding.
        left: First column of the crop in the padded image, 0..2*padding.
        flip: True to mirror left and right; bool.
        row: Row of the cutout's centre, 0..h-1.
        column: Column of the cutout's centre, 0..w-1.
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    row: Tensor
    column: Tensor

    def __getitem__(self, part: slice) -> Draws:
        """Return the choices for some of the images."""
        return Draws(**{name: tensor[part] for name, tensor in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random crop, horizontal flip, normalisation and cutout, in this order.

    Cutout is that of DeVries and Taylor (arXiv 1708.04552): a square of zeros after normalisation
    whose centre is uniform over the image; the border clips it. The defaults are those of the
    RelativeNAS paper for CIFAR; `padding=0, flip=False, cutout=0` only normalises.

    Args:
        padding: Pixels of zeros around an image before it is cropped to its own size again.
        flip: True to mirror each image with probability 1/2.
        cutout: Side of the square in pixels; 0 switches cutout off.

    Raises:
        ValueError: `padding` or `cutout` is negative.
    """

    padding: int = 4
    flip: bool = True
    cutout: int = 16

    def __post_init__(self) -> None:
        for name, pixels in (("padding", self.padding), ("cutout", self.cutout)):
            if pixels < 0:
                raise ValueError(f"{name} must be at least 0 pixels, got {pixels}")

    def check(self, height: int, width: int) -> None:
        """Raise if images are too small for this augmentation.

        Raises:
            ValueError: A crop could hold nothing but padding, or the cutout could cover a whole
                image.
        """
        side = min(height, width)
        for name, pixels, most in (
            ("padding", self.padding, side - 1),
            ("cutout", self.cutout, side),
        ):
            if pixels > most:
                raise ValueError(
                    f"{name} must be at most {most} for images of {width}x{height}, got {pixels}"
                )

    def draw(self, count: int, height: int, width: int, generator: Generator) -> Draws:
        """Draw the choices for `count` images, on the device of the generator."""

        def below(bound: int) -> Tensor:
            return torch.randint(bound, (count,), generator=generator, device=generator.device)

        return Draws(
            top=below(2 * self.padding + 1),
            left=below(2 * self.padding + 1),
            flip=below(2).bool() & self.flip,
            row=below(height),
            column=below(width),
        )

    def apply(self, images: Tensor, mean: Tensor, std: Tensor, draws: Draws) -> Tensor:
        """Augment a batch by the choices in `draws`.

        Args:
            images: uint8 or float32 images, `[b, c, h, w]`.
            mean: Mean of each channel; see `normalise`.
            std: Standard deviation of each channel; see `normalise`.
            draws: Choices for these b images.

        Returns:
            float32, `[b, c, h, w]`.
        """
        if self.padding or self.flip:
            images = self._crop(images, draws)
        batch = normalise(images, mean, std)
        if self.cutout:
            batch.mul_(self._kept(images, draws))
        return batch

    def __call__(self, images: Tensor, mean: Tensor, std: Tensor, generator: Generator) -> Tensor:
        """Augment a batch by new draws; draws nothing if the augmentation only normalises."""
        if not (self.padding or self.flip or self.cutout):
            return normalise(images, mean, std)
        count, _, height, width = images.shape
        return self.apply(images, mean, std, self.draw(count, height, width, generator))

    def _crop(self, images: Tensor, draws: Draws) -> Tensor:
        count, channels, height, width = images.shape
        padded = functional.pad(images, (self.padding,) * 4)
        rows = torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device)
        rows = draws.top[:, None] + rows
        columns = draws.left[:, None] + torch.where(
            draws.flip[:, None], width - 1 - columns, columns
        )
        # One gather over flat pixels crops and flips at once; it is twice as fast as indexing.
        pixels = rows[:, :, None] * padded.shape[3] + columns[:, None, :]
        pixels = pixels.view(count, 1, height * width).expand(-1, channels, -1)
        return padded.flatten(2).gather(2, pixels).view(images.shape)

    def _kept(self, images: Tensor, draws: Draws) -> Tensor:
        """Return a mask of the pixels outside the cutout: bool, `[b, 1, h, w]`."""

        def inside(centre: Tensor, side: int) -> Tensor:
            offset = torch.arange(side, device=images.device) - centre[:, None] + self.cutout // 2
            return (offset >= 0) & (offset < self.cutout)

        _, _, height, width = images.shape
        cut = inside(draws.row, height)[:, :, None] & inside(draws.column, width)[:, None, :]
        return ~cut[:, None]
