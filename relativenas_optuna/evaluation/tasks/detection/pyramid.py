"""A backbone with a feature pyramid, for torchvision's detection builders."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool


class PyramidBackbone(nn.Module):
    """A backbone with a feature pyramid, as torchvision's detection builders take it.

    It is for detectors such as `FasterRCNN`, `MaskRCNN`, `RetinaNet` and `FCOS`. It is like
    torchvision's `BackboneWithFPN`, but for a backbone with `feature_info`. Source of the pyramid:
    Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017.

    Args:
        backbone: Module that maps images to a list of feature maps, each half as large as the one
            before, and has `feature_info`: the result of `build(..., features_only=True)`, or of
            `timm.create_model(..., features_only=True)`. With the default anchors, `FasterRCNN`
            and `MaskRCNN` need the strides 4 to 32, `out_indices=(1, 2, 3, 4)`. `RetinaNet` and
            `FCOS` need 8 to 32 and `extra_blocks=LastLevelP6P7(out_channels, out_channels)`.
        out_channels: Channels of every map of the pyramid.
        extra_blocks: torchvision module that adds smaller maps; None for `LastLevelMaxPool()`,
            which adds one of half the size.

    Example:
        >>> from torchvision.models.detection import FasterRCNN
        >>> backbone = build("DARTS_V2", "imagenet", features_only=True, out_indices=(1, 2, 3, 4))
        >>> detector = FasterRCNN(PyramidBackbone(backbone), num_classes=21)
    """

    def __init__(self, backbone: Any, out_channels: int = 256, extra_blocks: Any = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.fpn = FeaturePyramidNetwork(
            backbone.feature_info.channels(),
            out_channels,
            extra_blocks=LastLevelMaxPool() if extra_blocks is None else extra_blocks,
        )
        self.out_channels = out_channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps of the pyramid by name, from the largest to the smallest.

        Args:
            images: `[b, in_channels, h, w]`, normalised.

        Returns:
            "0", "1" and so on with the sizes of the backbone's maps, and the added maps; each
            `[b, out_channels, height, width]`.
        """
        maps = OrderedDict((str(index), x) for index, x in enumerate(self.backbone(images)))
        pyramid: dict[str, Tensor] = self.fpn(maps)
        return pyramid
