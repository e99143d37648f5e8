"""The auxiliary classifier that helps the training of a deep network."""

from __future__ import annotations

from torch import Tensor, nn


class AuxiliaryHead(nn.Module):
    """A second classifier, on the output of the last reduction cell.

    Args:
        in_channels: Channels of that cell's output.
        num_classes: Number of classes.
        pool_stride: Stride of the 5x5 pooling: 3 for CIFAR, 2 for ImageNet.
        last_norm: True to add a batch norm after the last convolution, as for CIFAR; False for
            ImageNet.
    """

    def __init__(
        self, in_channels: int, num_classes: int, *, pool_stride: int, last_norm: bool
    ) -> None:
        super().__init__()
        # The window of the pooling and one stride more: the last convolution reads 2x2 pixels.
        self._least_size = 5 + pool_stride
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, pool_stride),
            nn.Conv2d(in_channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 768, 2, bias=False),
            *([nn.BatchNorm2d(768)] if last_norm else []),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `[b, num_classes]` for features `[b, in_channels, h, w]`.

        Raises:
            ValueError: The features are too small, because the images are.
        """
        height, width = x.shape[-2:]
        if min(height, width) < self._least_size:
            raise ValueError(
                f"auxiliary=True needs features of at least {self._least_size}x{self._least_size} "
                f"pixels, got {height}x{width}: use larger images or auxiliary=False"
            )
        # At the sizes of the papers one pixel is left, and its mean is itself.
        logits: Tensor = self.classifier(self.features(x).mean(dim=(2, 3)))
        return logits
