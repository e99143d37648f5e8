"""SSDLite at 320 pixels on any backbone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD, SSDScoringHead
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops.misc import Conv2dNormActivation

from relativenas_optuna.evaluation.tasks.backbones import ChosenMaps, maps_at

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

SIDE = 320
"""Height and width in pixels to which every image is resized."""
_STRIDES = (16, 32)
_ASPECT_RATIOS = [[2, 3]] * 6
# Channels of each added map, and of its hidden layer as a share of the map before.
_ADDED = ((512, 0.2), (256, 0.25), (256, 0.5), (64, 0.25))


class SSDLite(SSD):
    """SSDLite, which detects objects by six maps with 3,234 default boxes.

    It reads the maps of the backbone at the strides 16 and 32, and adds four smaller maps. It is a
    torchvision `SSD`: the transform, default boxes, matching, loss, box decoding and non-maximum
    suppression are torchvision's. In training `network(images, targets)` returns a dictionary of
    losses. In evaluation `network(images)` returns boxes (in pixels of the image), labels and
    scores. A batch for training needs at least two images, because of the batch norm of the 1x1
    map.

    The layers are those of the published network. It has 5,069,824 parameters and 1,203 M
    multiply-adds for the cell of RelativeNAS and 21 classes. They differ from torchvision's
    `ssdlite320_mobilenet_v3_large`: the added maps have other channels, the depthwise convolutions
    of the heads have a bias, and the head of the last map is one 1x1 convolution.

    Source: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018.

    Args:
        architecture: Name of a published cell or of a torchvision network, a genotype, or a
            backbone; see `maps_at`.
        num_classes: Number of classes, including the background as class 0; 21 for PASCAL VOC.
        settings: Further arguments of torchvision's `SSD`, for example `score_thresh`,
            `nms_thresh` or `image_mean`.

    Raises:
        ValueError: The name is unknown, the backbone lacks a map, or there is no class besides
            the background.

    Example:
        >>> detector = SSDLite("RelativeNAS").eval()
        >>> sorted(detector([torch.rand(3, 375, 500)])[0])
        ['boxes', 'labels', 'scores']
    """

    def __init__(
        self,
        architecture: nn.Module | AnyGenotype | str,
        num_classes: int = 21,
        **settings: Any,
    ) -> None:
        if num_classes < 2:
            raise ValueError(
                f"num_classes must be at least 2 with the background, got {num_classes}"
            )
        maps = _SixMaps(maps_at(_STRIDES, architecture))
        boxes = DefaultBoxGenerator(_ASPECT_RATIOS, min_ratio=0.2, max_ratio=0.95)
        head = _Head(maps.channels, boxes.num_anchors_per_location(), num_classes)
        super().__init__(maps, boxes, (SIDE, SIDE), num_classes, head=head, **settings)

    def raw_outputs(self) -> RawOutputs:
        """Return the network without the decoding of boxes, for costs and exports.

        It shares the weights and has the same mode.
        """
        raw = RawOutputs(self.backbone, self.head)
        raw.training = self.training
        return raw


class RawOutputs(nn.Module):
    """The outputs of a detector before boxes are decoded."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs for images `[b, 3, 320, 320]`, normalised.

        Returns:
            Logits `[b, boxes, num_classes]`, and offsets from the default boxes `[b, boxes, 4]`.
        """
        outputs = self.head(list(self.backbone(images).values()))
        return outputs["cls_logits"], outputs["bbox_regression"]


class _SixMaps(nn.Module):
    """Two maps of a backbone, and four that are computed from the smaller one."""

    def __init__(self, maps: ChosenMaps) -> None:
        super().__init__()
        self.backbone, self._indices = maps.backbone, maps.indices
        self.channels = [*maps.channels]
        self.added = nn.ModuleList()
        for channels, share in _ADDED:
            self.added.append(InvertedResidual(self.channels[-1], channels, 2, share))
            self.channels.append(channels)
        _initialise(self.added)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = self.backbone(images)
        maps = [found[index] for index in self._indices]
        for layer in self.added:
            maps.append(layer(maps[-1]))
        return OrderedDict((str(index), x) for index, x in enumerate(maps))


class _Head(nn.Module):
    """The classes and box offsets of every default box."""

    def __init__(self, channels: Sequence[int], boxes: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.classification = _scores(channels, boxes, num_classes)
        self.regression = _scores(channels, boxes, 4)
        _initialise(self)

    def forward(self, maps: list[Tensor]) -> dict[str, Tensor]:
        return {
            "bbox_regression": self.regression(maps),
            "cls_logits": self.classification(maps),
        }


def _scores(channels: Sequence[int], boxes: Sequence[int], columns: int) -> nn.Module:
    """Return a module that maps the six maps to `[b, boxes, columns]`."""
    *others, last = (
        nn.Conv2d(width, count * columns, 1) for width, count in zip(channels, boxes, strict=True)
    )
    depthwise = [
        Conv2dNormActivation(
            layer.in_channels, layer.in_channels, groups=layer.in_channels, bias=True,
            activation_layer=nn.ReLU6,
        )
        for layer in others
    ]  # fmt: skip
    layers = [nn.Sequential(*pair) for pair in zip(depthwise, others, strict=True)]
    scores: nn.Module = SSDScoringHead(nn.ModuleList([*layers, last]), columns)
    return scores


def _initialise(module: nn.Module) -> None:
    """Draw the weights of all convolutions as Glorot and Bengio (2010) do, as published."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
