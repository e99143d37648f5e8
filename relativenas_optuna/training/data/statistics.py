"""Mean and std of the data sets that the networks of the paper were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Statistics(NamedTuple):
    """Mean and std of every channel, in units of [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


STATISTICS: Mapping[str, Statistics] = MappingProxyType(
    {
        # Tan et al. 2021, settings of the published code.
        "cifar10": Statistics(
            (0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768)
        ),
        "cifar100": Statistics((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
        # The values that torchvision and timm use.
        "imagenet": Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    }
)
"""Mean and std by the name of the data set."""
