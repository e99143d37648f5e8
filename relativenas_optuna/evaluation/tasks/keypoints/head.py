"""SimpleBaseline for keypoints on any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from relativenas_optuna.evaluation.tasks.backbones import maps_at
from relativenas_optuna.networks.layers.cell import check_sizes

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_CHANNELS = 256


class SimpleBaseline(nn.Module):
    """SimpleBaseline, which returns a heat map for each keypoint of the person in an image.

    Three transposed convolutions enlarge the backbone's map of stride 32 to stride 4. The network
    of the RelativeNAS cell has 9,430,742 parameters for 17 keypoints and, at 256x192 pixels, 564.2
    M multiply-adds without those of the transposed convolutions.

    Source: Xiao, Wu, Wei, Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018.

    Args:
        architecture: Name of a published cell or of a torchvision network, a genotype, or a
            backbone; see `maps_at`.
        num_keypoints: Number of keypoints; 17 for COCO.
        mirrored: For each keypoint the index of the one that it becomes in a mirror image; None
            if each stays itself. It changes no heat map, and is for the average over mirror images.

    Attributes:
        mirrored: The argument of that name, a tuple.

    Raises:
        ValueError: The name is unknown, the backbone has no map at stride 32, or `num_keypoints`
            is not a whole number of at least 1, or `mirrored` are not that many indices.

    Example:
        >>> network = SimpleBaseline("RelativeNAS").eval()
        >>> network(torch.zeros(1, 3, 256, 192)).shape
        torch.Size([1, 17, 64, 48])
    """

    def __init__(
        self,
        architecture: nn.Module | AnyGenotype | str,
        num_keypoints: int = 17,
        *,
        mirrored: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        check_sizes(num_keypoints=num_keypoints)
        self.mirrored = tuple(range(num_keypoints) if mirrored is None else mirrored)
        if sorted(self.mirrored) != list(range(num_keypoints)):
            raise ValueError(
                f"mirrored must hold each index from 0 to {num_keypoints - 1} once, got {mirrored}"
            )
        maps = maps_at((32,), architecture)
        self.backbone = maps.backbone
        (self._index,), (channels,) = maps.indices, maps.channels
        layers: list[nn.Module] = []
        for read in (channels, _CHANNELS, _CHANNELS):
            layers += [
                nn.ConvTranspose2d(read, _CHANNELS, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(_CHANNELS),
                nn.ReLU(inplace=True),
            ]
        self.deconvolutions = nn.Sequential(*layers)
        self.heatmaps = nn.Conv2d(_CHANNELS, num_keypoints, 1)
        for layer in (*layers, self.heatmaps):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.001)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the heat maps of a batch.

        Args:
            images: `[b, 3, h, w]`, normalised, one person each; h and w are multiples of 32.

        Returns:
            `[b, num_keypoints, h / 4, w / 4]`.
        """
        heatmaps: Tensor = self.heatmaps(self.deconvolutions(self.backbone(images)[self._index]))
        return heatmaps
