"""A network without its classifier, which returns feature maps for detection or segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from relativenas_optuna.networks.feature_maps import require_maps, take_indices


class FeatureInfo(Sequence[Mapping[str, Any]]):
    """Channels and strides of a backbone's maps; the methods are those of timm's `FeatureInfo`.

    As a sequence it has an entry for each map of the network; see `FeatureMapNetwork`. Without
    `idx` a method describes the maps that the backbone returns.

    Attributes:
        out_indices: Indices of the maps that the backbone returns.
    """

    def __init__(self, info: Sequence[Mapping[str, Any]], out_indices: Sequence[int]) -> None:
        self.info = [{**entry, "index": index} for index, entry in enumerate(info)]
        self.out_indices = tuple(out_indices)

    def get(self, key: str, idx: int | Sequence[int] | None = None) -> Any:
        """Return the values of `key` for all returned maps, or for the maps of index `idx`."""
        if isinstance(idx, int):
            return self.info[idx][key]
        return [self.info[index][key] for index in (self.out_indices if idx is None else idx)]

    def get_dicts(
        self, keys: Sequence[str] | None = None, idx: int | Sequence[int] | None = None
    ) -> Any:
        """Return the entries of maps, or only their `keys`; see `get` for `idx`."""
        if isinstance(idx, int):
            return {key: self.info[idx][key] for key in keys or self.info[idx]}
        chosen = self.out_indices if idx is None else idx
        return [self.get_dicts(keys, index) for index in chosen]

    def channels(self, idx: int | Sequence[int] | None = None) -> Any:
        """Return the channels of each returned map; see `get` for `idx`."""
        return self.get("num_chs", idx)

    def reduction(self, idx: int | Sequence[int] | None = None) -> Any:
        """Return the stride of each returned map; see `get` for `idx`."""
        return self.get("reduction", idx)

    def module_name(self, idx: int | Sequence[int] | None = None) -> Any:
        """Return the name of the module of each returned map; see `get` for `idx`."""
        return self.get("module", idx)

    def __getitem__(self, index: Any) -> Any:
        return self.info[index]

    def __len__(self) -> int:
        return len(self.info)


class Backbone(nn.Module):
    """Feature maps of a network, without its classifier and without layers that no map needs.

    `build(..., features_only=True)` returns one.

    Args:
        network: A `CellNetwork`, a `NASBench201Network`, or another module with `feature_info`,
            `forward_intermediates` and `prune_intermediate_layers` as in `FeatureMapNetwork`.
            Layers that no map needs are removed from it.
        out_indices: Maps to return, in the numbering of the network's `feature_info` and in
            increasing order; negative ones from the end; None for all.

    Attributes:
        network: The network.
        feature_info: Channels, strides and module names of the maps.

    Raises:
        ValueError: The network returns no maps, or an index is out of range.
    """

    def __init__(self, network: Any, out_indices: Sequence[int] | None = None) -> None:
        super().__init__()
        require_maps(network)
        taken = take_indices(len(network.feature_info), out_indices)
        network.prune_intermediate_layers(taken, prune_norm=True)
        self.network = network
        self.feature_info = FeatureInfo(network.feature_info, taken)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of a batch, from the largest to the smallest.

        Args:
            images: `[b, in_channels, h, w]`, normalised.

        Returns:
            For each map `[b, channels, ceil(h / reduction), ceil(w / reduction)]`.
        """
        maps: list[Tensor] = self.network.forward_intermediates(
            images, indices=self.feature_info.out_indices, intermediates_only=True
        )
        return maps

    def forward_intermediates(self, x: Tensor, *args: Any, **settings: Any) -> Any:
        """Return chosen maps; see `FeatureMapNetwork.forward_intermediates`."""
        return self.network.forward_intermediates(x, *args, **settings)
