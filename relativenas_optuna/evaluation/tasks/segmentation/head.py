"""BiSeNet on any backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

from relativenas_optuna.evaluation.tasks.backbones import maps_at
from relativenas_optuna.networks.layers.cell import check_sizes

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_CONTEXT = 128
"""Channels of the context path, and of the spatial path."""


class BiSeNet(nn.Module):
    """BiSeNet, which classifies every pixel by a deep context path and a shallow spatial path.

    The context path reads the backbone's maps at the strides 16 and 32. In training, two auxiliary
    outputs read the context path. A batch for training needs at least two images, because of the
    batch norms of pooled maps.

    The network of the RelativeNAS cell has 6,944,645 parameters for 19 classes, with the auxiliary
    outputs. A pass in training has 35.35 G multiply-adds at 1024x1024 pixels, as published. A pass
    in evaluation has 33.81 G, because the auxiliary outputs do not run.

    Source: Yu et al., BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation,
    ECCV 2018.

    Args:
        architecture: Name of a published cell or of a torchvision network, a genotype, or a
            backbone; see `maps_at`.
        num_classes: Number of classes; 19 for Cityscapes.
        in_channels: Channels of an image.

    Raises:
        ValueError: The name is unknown, the backbone lacks a map, or a number is not a whole
            number of at least 1.

    Example:
        >>> network = BiSeNet("RelativeNAS").eval()
        >>> network(torch.zeros(1, 3, 128, 256)).shape
        torch.Size([1, 19, 128, 256])
    """

    def __init__(
        self,
        architecture: nn.Module | AnyGenotype | str,
        num_classes: int = 19,
        *,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_sizes(num_classes=num_classes, in_channels=in_channels)
        maps = maps_at((16, 32), architecture)
        channels16, channels32 = maps.channels
        self.attention16 = _Attention(channels16)
        self.attention32 = _Attention(channels32)
        self.pooled = Conv2dNormActivation(channels32, _CONTEXT, 1)
        self.refine16 = Conv2dNormActivation(_CONTEXT, _CONTEXT, 3)
        self.refine32 = Conv2dNormActivation(_CONTEXT, _CONTEXT, 3)
        self.spatial_path = nn.Sequential(
            Conv2dNormActivation(in_channels, 64, 7, stride=2),
            Conv2dNormActivation(64, 64, 3, stride=2),
            Conv2dNormActivation(64, 64, 3, stride=2),
            Conv2dNormActivation(64, _CONTEXT, 1),
        )
        self.fusion = _Fusion(2 * _CONTEXT)
        self.output = _output(2 * _CONTEXT, 2 * _CONTEXT, num_classes)
        self.auxiliary_outputs = nn.ModuleList(_output(_CONTEXT, 64, num_classes) for _ in range(2))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=1)
        # Set after the initialisation, so that the backbone keeps its weights.
        self.backbone, self._indices = maps.backbone, maps.indices

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Return the logits of every pixel.

        Args:
            images: `[b, in_channels, h, w]`, normalised, h and w of at least 32.

        Returns:
            Logits `[b, num_classes, h, w]`. In training, these and the logits of the auxiliary
            outputs at the strides 8 and 16, all of this shape.
        """
        spatial = self.spatial_path(images)
        context8, context16 = self._context(images, spatial.shape[-2:])
        logits = self.output(self.fusion(torch.cat([spatial, context8], dim=1)))
        size = images.shape[-2:]
        if not self.training:
            return _enlarged(logits, size)
        output8, output16 = self.auxiliary_outputs
        others = _enlarged(output8(context8), size), _enlarged(output16(context16), size)
        return _enlarged(logits, size), *others

    def _context(self, images: Tensor, size8: torch.Size) -> tuple[Tensor, Tensor]:
        """Return the context path's maps `[b, 128, ...]` at the strides 8 and 16.

        Args:
            images: `[b, in_channels, h, w]`.
            size8: Height and width of the map at stride 8.
        """
        maps = self.backbone(images)
        map16, map32 = (maps[index] for index in self._indices)
        whole = self.pooled(F.adaptive_avg_pool2d(map32, 1))
        up32 = F.interpolate(self.attention32(map32) + whole, map16.shape[-2:])
        context16 = self.refine32(up32)
        up16 = F.interpolate(self.attention16(map16) + context16, size8)
        return self.refine16(up16), context16


class _Attention(nn.Module):
    """Attention refinement: a map whose channels are weighted by its global means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = Conv2dNormActivation(channels, _CONTEXT, 3)
        self.weights = Conv2dNormActivation(
            _CONTEXT, _CONTEXT, 1, activation_layer=nn.Sigmoid, inplace=None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, channels, h, w]` to `[b, 128, h, w]`."""
        x = self.convolution(x)
        return x * self.weights(F.adaptive_avg_pool2d(x, 1))  # type: ignore[no-any-return]


class _Fusion(nn.Module):
    """Feature fusion of the two paths, whose channels are scaled by 1 plus a weight."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = Conv2dNormActivation(channels, channels, 1)
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 4, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 4, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, channels, h, w]` to the same shape."""
        x = self.convolution(x)
        return x + x * self.weights(x)  # type: ignore[no-any-return]


def _enlarged(x: Tensor, size: torch.Size) -> Tensor:
    """Return logits of the height and width of `size`, by bilinear interpolation."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def _output(channels: int, hidden: int, num_classes: int) -> nn.Sequential:
    """Return the layers from a map to the logits of its pixels."""
    return nn.Sequential(
        Conv2dNormActivation(channels, hidden, 3), nn.Conv2d(hidden, num_classes, 1, bias=False)
    )
