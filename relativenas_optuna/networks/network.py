"""The stand-alone CIFAR and ImageNet networks of a genotype."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from relativenas_optuna.networks.feature_maps import FeatureMapNetwork, Output
from relativenas_optuna.networks.layers.auxiliary import AuxiliaryHead
from relativenas_optuna.networks.layers.cell import (
    NO_DROP_PATH,
    STEM_MULTIPLIER,
    DropPath,
    FixedCell,
    cell_outputs,
    check_images,
    check_sizes,
    cifar_stem,
    stack,
)
from relativenas_optuna.networks.layers.operations import check_operations
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.spaces.registry import NetworkSizes

_HALF = 2
"""Position in the first part of the ImageNet stem of the ReLU at half the height and width."""


class CellNetwork(FeatureMapNetwork):
    """A stand-alone network: stacked cells between a stem and a classifier.

    `feature_info` lists maps of the stem, and the output of the last cell of every stride.

    Args:
        genotype: The architecture.
        channels: Channels of the first cell's nodes; they double at every reduction.
        cells: Number of cells.
        num_classes: Number of classes.
        in_channels: Channels of an image.
        auxiliary: True to add the auxiliary head.
        pool_norm: True to add an affine batch norm after each pooling.
    """

    least_size: int
    """Least height and width of an image, of which the reductions leave one pixel."""
    auxiliary_pool_stride: int
    auxiliary_last_norm: bool

    def __init__(
        self,
        genotype: Genotype,
        *,
        channels: int,
        cells: int,
        num_classes: int,
        in_channels: int = 3,
        auxiliary: bool = False,
        pool_norm: bool = False,
    ) -> None:
        super().__init__()
        check_operations(genotype.operations)
        check_sizes(
            channels=channels, cells=cells, num_classes=num_classes, in_channels=in_channels
        )
        self.genotype = genotype
        self.in_channels, self.num_classes = in_channels, num_classes
        self.pool_norm = pool_norm
        stem = self._build_stem(in_channels, channels)
        shapes, outputs = stack(
            cells=cells,
            channels=channels,
            stem_channels=stem[-1].channels,
            stem_reduces=len(stem) > 1,
            nodes=(len(genotype.normal.concat), len(genotype.reduce.concat)),
        )
        self.cells = nn.ModuleList(
            FixedCell(
                genotype.reduce if shape.reduction else genotype.normal, shape, pool_norm=pool_norm
            )
            for shape in shapes
        )
        self._stem_modules = [output.module for output in stem]
        self._list_maps([*stem, *cell_outputs(stem[-1].stride, shapes, outputs)])
        auxiliary_cell = 2 * cells // 3
        self._auxiliary_module = f"cells.{auxiliary_cell}"
        self.auxiliary_head = (
            AuxiliaryHead(
                outputs[auxiliary_cell],
                num_classes,
                pool_stride=self.auxiliary_pool_stride,
                last_norm=self.auxiliary_last_norm,
            )
            if auxiliary
            else None
        )
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(outputs[-1], num_classes)

    @abstractmethod
    def _build_stem(self, in_channels: int, channels: int) -> list[Output]:
        """Build the stem; return its outputs, each with twice the stride of the one before.

        The last two are inputs 0 and 1 of the first cell, which have the same number of channels.
        A single output is both inputs.
        """

    @abstractmethod
    def _run_stem(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of the stem."""

    def forward(
        self,
        images: Tensor,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of a batch.

        Args:
            images: `[b, in_channels, h, w]`, normalised.
            drop_path: Probability in [0, 1) that an edge is dropped, per sample; training only.
            generator: Generator of the drop-path masks, on the device of the images; None for the
                default generator.

        Returns:
            Logits `[b, num_classes]`. In training with the auxiliary head, a pair of the logits and
            the auxiliary logits, both `[b, num_classes]`.

        Raises:
            ValueError: The shape of the batch, or `drop_path`, is out of range.
        """
        head = self.auxiliary_head if self.training else None
        keep = () if head is None else (self._auxiliary_module,)
        last, kept = self._features(images, keep, dropping=DropPath(drop_path, generator))
        logits = self.forward_head(last)
        return logits if head is None else (logits, head(kept[self._auxiliary_module]))

    def _features(
        self,
        images: Tensor,
        keep: Collection[str] = (),
        *,
        stop: bool = False,
        dropping: DropPath = NO_DROP_PATH,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        check_images(images, self.in_channels, self.least_size)
        stem = self._run_stem(images)
        older, newer = (2 * stem)[-2:]
        kept = {n: x for n, x in zip(self._stem_modules, stem, strict=True) if n in keep}
        del stem  # so that outputs that are not kept are freed
        for index, cell in enumerate(self.cells):
            if stop and len(kept) == len(keep):
                break
            older, newer = newer, cell(older, newer, dropping)
            if (name := f"cells.{index}") in keep:
                kept[name] = newer
        return newer, kept


class CifarNetwork(CellNetwork):
    """The network for small images, which keep their size up to the first reduction.

    The auxiliary head needs images of at least 29x29.
    """

    least_size = 4
    auxiliary_pool_stride = 3
    auxiliary_last_norm = True

    def _build_stem(self, in_channels: int, channels: int) -> list[Output]:
        self.stem = cifar_stem(in_channels, channels)
        return [Output("stem", STEM_MULTIPLIER * channels, 1)]

    def _run_stem(self, images: Tensor) -> list[Tensor]:
        return [self.stem(images)]


class ImageNetNetwork(CellNetwork):
    """The network for large images; its stem divides height and width by 8.

    The auxiliary head needs images of at least 193x193.
    """

    least_size = 32
    auxiliary_pool_stride = 2
    auxiliary_last_norm = False

    def _build_stem(self, in_channels: int, channels: int) -> list[Output]:
        if channels < 2:
            raise ValueError(f"channels must be at least 2 for ImageNet, got {channels}")
        self.stem0 = nn.Sequential(
            nn.Conv2d(in_channels, channels // 2, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.stem1 = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        return [
            Output(f"stem0.{_HALF}", channels // 2, 2),
            Output("stem0", channels, 4),
            Output("stem1", channels, 8),
        ]

    def _run_stem(self, images: Tensor) -> list[Tensor]:
        half = self.stem0[: _HALF + 1](images)
        quarter = self.stem0[_HALF + 1 :](half)
        return [half, quarter, self.stem1(quarter)]

    def _prune_stem(self, last: str) -> None:
        if last != "stem1":
            self.stem1 = nn.Sequential()
        if last == f"stem0.{_HALF}":
            self.stem0 = self.stem0[: _HALF + 1]


def cell_network(genotype: Genotype, sizes: NetworkSizes) -> CifarNetwork:
    """Build the stand-alone network of a pair of cells for small images."""
    return CifarNetwork(genotype, **asdict(sizes))


class Family(NamedTuple):
    """The network class for a data set, and the paper's sizes for it."""

    network: type[CellNetwork]
    channels: int
    cells: int
    num_classes: int


# Tan et al. 2021, settings of the stand-alone training.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "cifar10": Family(CifarNetwork, 36, 20, 10),
        "cifar100": Family(CifarNetwork, 36, 20, 100),
        "imagenet": Family(ImageNetNetwork, 46, 14, 1000),
    }
)
"""Network families by the name of the data set."""
