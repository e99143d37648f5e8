"""Backbones of the task networks: cells by name or genotype, and torchvision's networks by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision import models

from relativenas_optuna.networks.backbone import FeatureInfo
from relativenas_optuna.networks.build_network import build
from relativenas_optuna.networks.feature_maps import take_indices
from relativenas_optuna.networks.io.foreign_state import with_counters
from relativenas_optuna.networks.io.network_file import StoredNetwork, read_weights
from relativenas_optuna.networks.io.state_dicts import require_fit
from relativenas_optuna.networks.meta_copy import meta_copy
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.spaces.names import TORCHVISION
from relativenas_optuna.spaces.published_cells import PUBLISHED
from relativenas_optuna.spaces.space_genotype import SpaceGenotype

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_CHAINS = re.compile(r"(mnasnet|mobilenet_v|shufflenet_v|(wide_)?resnet|resnext)\w+")
_STRIDES = (2, 4, 8, 16, 32)


class TorchvisionBackbone(nn.Module):
    """Feature maps of a torchvision classifier that is a chain of layers.

    Each map is the output of the last layer of its stride. The map of stride 32 is the
    input of the global pooling, after the last 1x1 convolution of a MobileNet, MnasNet or
    ShuffleNet.

    Args:
        name: A MobileNet V2 or V3, MnasNet, ShuffleNet V2, ResNet or ResNeXt of
            `torchvision.models`, for example "mobilenet_v3_large".
        out_indices: Maps to return among those of the strides 2, 4, 8, 16 and 32, in increasing
            order; None for all.
        weights: Name of weights that torchvision downloads, for example "DEFAULT"; or path of a
            file that holds a state dict of the whole classifier, whose code is never run; or the
            result of `read_weights`. None for initial weights.

    Attributes:
        feature_info: Channels, strides and module names of the maps.

    Raises:
        ValueError: The name is unknown, an index is out of range, or the weights do not fit.
    """

    def __init__(
        self,
        name: str,
        out_indices: Sequence[int] | None = None,
        weights: str | Path | StoredNetwork | None = None,
    ) -> None:
        super().__init__()
        if name not in torchvision_names():
            raise ValueError(f"name must be one of {', '.join(torchvision_names())}, got {name!r}")
        layers = list(_chain(_classifier(name, weights)))
        outputs = _last_of_each_stride(layers)
        taken = take_indices(len(outputs), out_indices)
        self._returned = [list(outputs)[index] for index in taken]
        self.layers = nn.ModuleList(layers[: self._returned[-1] + 1])
        info = [
            {"num_chs": channels, "reduction": stride, "module": f"layers.{index}"}
            for index, (channels, stride) in outputs.items()
        ]
        self.feature_info = FeatureInfo(info[: taken[-1] + 1], taken)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of a batch, from the largest to the smallest.

        Args:
            images: `[b, 3, h, w]`, normalised.

        Returns:
            For each map `[b, channels, ceil(h / reduction), ceil(w / reduction)]`.
        """
        maps = []
        for index, layer in enumerate(self.layers):
            images = layer(images)
            if index in self._returned:
                maps.append(images)
        return maps


class ChosenMaps(NamedTuple):
    """A backbone and the maps of it that a task network reads.

    Attributes:
        backbone: Module that returns a list of maps.
        indices: Positions of the maps in this list.
        channels: Channels of these maps.
    """

    backbone: nn.Module
    indices: tuple[int, ...]
    channels: tuple[int, ...]


def maps_at(strides: Sequence[int], architecture: nn.Module | AnyGenotype | str) -> ChosenMaps:
    """Return a backbone with maps at given strides.

    Args:
        strides: Strides of the maps in increasing order.
        architecture: The name of a published cell or a genotype, for its ImageNet network at the
            size of the paper; the name of a torchvision network; or a backbone of `build`,
            `TorchvisionBackbone` or timm (`features_only=True`), with initial or trained weights.

    Raises:
        ValueError: The name is unknown, or the backbone has no map at one of the strides.
        TypeError: `architecture` has another type.
    """
    backbone = (
        architecture if isinstance(architecture, nn.Module) else _by_name(architecture, strides)
    )
    info: Any = getattr(backbone, "feature_info", None)
    if info is None:
        raise ValueError(
            f"a backbone must have feature_info, like a result of build(..., features_only=True); "
            f"{type(backbone).__name__} has none"
        )
    found = list(info.reduction())
    if missing := [stride for stride in strides if stride not in found]:
        raise ValueError(
            f"the network reads maps at the strides {', '.join(map(str, strides))}, but the "
            f"backbone has none at {missing[0]}, only at {', '.join(map(str, found))}: build it "
            f"for 'imagenet', with these maps in out_indices"
        )
    indices = tuple(found.index(stride) for stride in strides)
    channels = info.channels()
    return ChosenMaps(backbone, indices, tuple(channels[index] for index in indices))


def torchvision_names() -> list[str]:
    """Return the names that `TorchvisionBackbone` takes."""
    return [name for name in models.list_models(module=models) if _CHAINS.fullmatch(name)]


def _by_name(architecture: Any, strides: Sequence[int]) -> nn.Module:
    """Return the backbone of an architecture or a name; see `maps_at`."""
    indices = [_STRIDES.index(stride) for stride in strides]
    if isinstance(architecture, Genotype | SpaceGenotype) or architecture in PUBLISHED:
        backbone: nn.Module = build(
            architecture, "imagenet", features_only=True, out_indices=indices
        )
        return backbone
    if not isinstance(architecture, str):
        raise TypeError(
            f"architecture must be a genotype, a name or a backbone, got {architecture!r:.80}"
        )
    if architecture not in torchvision_names():
        raise ValueError(
            f"architecture must be a published cell ({', '.join(PUBLISHED)}) or a network of "
            f"torchvision ({', '.join(torchvision_names())}), got {architecture!r:.80}"
        )
    return TorchvisionBackbone(architecture, indices)


def torchvision_genotype(name: str) -> SpaceGenotype | None:
    """Return the architecture that stands for a network of torchvision; None for other names."""
    return SpaceGenotype(TORCHVISION, name) if name in torchvision_names() else None


def _classifier(name: str, weights: str | Path | StoredNetwork | None) -> nn.Module:
    """Return a classifier of torchvision with weights; see `TorchvisionBackbone`."""
    known = models.get_model_weights(name).__members__
    own = isinstance(weights, str | Path) and str(weights) in known
    network: nn.Module = models.get_model(name, weights=str(weights) if own else None)
    if weights is None or own:
        return network
    stored = weights if isinstance(weights, StoredNetwork) else read_weights(weights)
    state = network.state_dict()
    require_fit(state, with_counters(state, stored.state), stored.where)
    # Not a new dictionary, because MnasNet needs the version in this one.
    state.update(stored.state)
    network.load_state_dict(state)
    return network


def _chain(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers before the global pooling in the order in which they run."""
    for name, layer in network.named_children():
        if name in {"features", "layers"}:
            yield from layer.children()
        elif name not in {"avgpool", "classifier", "fc"}:
            yield layer


def _last_of_each_stride(layers: Sequence[nn.Module]) -> dict[int, tuple[int, int]]:
    """Return channels and stride of the last layer of each stride by the layer's index."""
    last = {}
    x = torch.empty(1, 3, _STRIDES[-1], _STRIDES[-1], device="meta")
    for index, layer in enumerate(meta_copy(nn.Sequential(*layers)).eval().children()):
        x = layer(x)
        last[_STRIDES[-1] // x.shape[-1]] = index, x.shape[1]
    return {index: (channels, stride) for stride, (index, channels) in last.items()}
