"""SSDLite on images that are normalised and resized beforehand, for training and for export."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from relativenas_optuna.evaluation.tasks.detection.head import SSDLite


class PreparedImages(nn.Module):
    """A transform for torchvision's detectors that leaves images and boxes as they are."""

    def forward(self, images: Tensor, targets: Any = None) -> tuple[ImageList, Any]:
        """Return a batch `[b, 3, h, w]` as a list of images, and the targets."""
        return ImageList(images, [tuple(images.shape[-2:])] * len(images)), targets

    def postprocess(self, detections: Any, image_sizes: Any, original_sizes: Any) -> Any:
        """Return the detections, whose boxes are in pixels of the prepared images."""
        return detections


class Decoded(nn.Module):
    """Scores and boxes of all default boxes, without non-maximum suppression.

    Args:
        network: Detector, in evaluation mode.
    """

    def __init__(self, network: SSDLite) -> None:
        super().__init__()
        self.network = network.raw_outputs()
        self._anchors, self._coder = network.anchor_generator, network.box_coder
        self.training = network.training

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and boxes for normalised images `[b, 3, h, w]`.

        Returns:
            Scores `[b, boxes, 1 + classes]`, which sum to 1 and begin with the background, and
            boxes `[b, boxes, 4]` as left, top, right and bottom in pixels, cut to the image.
        """
        maps = list(self.network.backbone(images).values())
        outputs = self.network.head(maps)
        offsets = outputs["bbox_regression"]
        height, width = images.shape[-2:]
        (anchors,) = self._anchors(ImageList(images[:1], [(height, width)]), maps)
        boxes = self._coder.decode_single(
            offsets.reshape(-1, 4), anchors.expand(offsets.shape[0], -1, -1).reshape(-1, 4)
        )
        largest = torch.tensor([width, height, width, height], dtype=boxes.dtype)
        cut = boxes.view(offsets.shape).clamp(min=0).minimum(largest.to(boxes.device))
        return outputs["cls_logits"].softmax(-1), cut
