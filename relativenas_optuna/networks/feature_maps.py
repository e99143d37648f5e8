"""Feature maps of stand-alone networks, with the methods and names that timm's models have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

_CELLS = "cells."
_MEMBERS = ("feature_info", "forward_intermediates", "prune_intermediate_layers")


class Output(NamedTuple):
    """The output of a module of a network.

    Attributes:
        module: Name of the module.
        channels: Number of channels.
        stride: Height of an image divided by that of the output.
    """

    module: str
    channels: int
    stride: int


def take_indices(count: int, indices: int | Sequence[int] | None) -> list[int]:
    """Return the indices of chosen maps among `count` maps.

    Args:
        count: Number of maps.
        indices: Indices in increasing order, negative ones from the end; a number n for the last n
            maps; None for all maps.

    Raises:
        ValueError: An index is out of range, or the order is not increasing.
    """
    if indices is None:
        return list(range(count))
    if isinstance(indices, int):
        if not 1 <= indices <= count:
            raise ValueError(f"indices must be a number of maps from 1 to {count}, got {indices}")
        return list(range(count - indices, count))
    found = [count + index if index < 0 else index for index in indices]
    if not found or found != sorted(set(found)) or not 0 <= found[0] <= found[-1] < count:
        raise ValueError(
            f"indices must be in increasing order, from 0 to {count - 1} or from {-count} to -1, "
            f"got {list(indices)}"
        )
    return found


class FeatureMapNetwork(nn.Module):
    """A base class of classifiers that return the last map of every stride.

    A subclass has a stem, `cells`, `global_pooling` and `classifier`. It calls `_list_maps` at the
    end of its `__init__`, and has the method `_features`.

    Attributes:
        feature_info: For each map, from the largest to the smallest: `num_chs`, its channels;
            `reduction`, the height of an image divided by that of the map; `module`, the name of
            the module whose output it is.
        num_features: Channels of the last map.
        num_classes: Number of classes; 0 without a classifier.
    """

    feature_info: list[dict[str, Any]]
    num_features: int
    num_classes: int
    cells: nn.ModuleList
    global_pooling: nn.AdaptiveAvgPool2d
    classifier: Any  # nn.Linear, or nn.Identity without classes
    auxiliary_head: nn.Module | None

    def _list_maps(self, outputs: Iterable[Output]) -> None:
        """Set `feature_info` to the last output of every stride.

        Args:
            outputs: Output of each module in the order in which they run.
        """
        last = {output.stride: output for output in outputs}
        self.feature_info = [
            {"num_chs": output.channels, "reduction": stride, "module": output.module}
            for stride, output in last.items()
        ]
        self.num_features = self.feature_info[-1]["num_chs"]

    @abstractmethod
    def _features(
        self, images: Tensor, keep: Collection[str] = (), *, stop: bool = False
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network up to the pooling, without the norm before it.

        Args:
            images: `[b, in_channels, h, w]`, normalised.
            keep: Names of the modules whose outputs are returned.
            stop: True to end as soon as these outputs are there.

        Returns:
            The last output, and the kept outputs by name.
        """

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the map that the global pooling reads, `[b, num_features, h, w]`."""
        return self._normalised(self._features(images)[0])

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the logits of a map that `forward_features` returned, `[b, num_classes]`.

        Args:
            features: `[b, num_features, h, w]`.
            pre_logits: True to return the classifier's input instead, `[b, num_features]`.
        """
        pooled: Tensor = self.global_pooling(features).flatten(1)
        return pooled if pre_logits else self.classifier(pooled)

    def forward_intermediates(  # noqa: PLR0917 (timm's signature)
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return feature maps; arguments and results are those of timm's models.

        Args:
            x: Images, `[b, in_channels, h, w]`, normalised.
            indices: Maps in the numbering of `feature_info`, in increasing order; a number n for
                the last n maps; None for all.
            norm: True to normalise the last map as before the classifier. Only NAS-Bench-201
                networks have this norm.
            stop_early: True to run no layer after the last chosen map, as with
                `intermediates_only`.
            output_fmt: "NCHW", the only layout of these networks.
            intermediates_only: True to return only the list of maps.

        Returns:
            The chosen maps, each `[b, num_chs, ceil(h / reduction), ceil(w / reduction)]`. Without
            `intermediates_only`, a pair: the map that the global pooling reads (with `stop_early`,
            the last computed output), and the chosen maps.

        Raises:
            ValueError: An index is out of range, or the layout is not "NCHW".
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        taken = take_indices(len(self.feature_info), indices)
        modules = [self.feature_info[index]["module"] for index in taken]
        last, kept = self._features(x, modules, stop=stop_early or intermediates_only)
        maps = [kept[module] for module in modules]
        if norm and taken[-1] == len(self.feature_info) - 1:
            maps[-1] = self._normalised(maps[-1])
        return maps if intermediates_only else (self._normalised(last), maps)

    def prune_intermediate_layers(
        self,
        indices: int | Sequence[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Remove the layers that chosen maps do not need.

        Args:
            indices: Maps to keep; see `forward_intermediates`.
            prune_norm: True to remove the norm before the classifier.
            prune_head: True to remove the classifiers.

        Returns:
            The indices of the kept maps, counted from 0.

        Raises:
            ValueError: An index is out of range.
        """
        taken = take_indices(len(self.feature_info), indices)
        shortened = taken[-1] + 1 < len(self.feature_info)
        self.feature_info = self.feature_info[: taken[-1] + 1]
        self.num_features = self.feature_info[-1]["num_chs"]
        last: str = self.feature_info[-1]["module"]
        in_cells = last.startswith(_CELLS)
        self.cells = self.cells[: int(last.removeprefix(_CELLS)) + 1 if in_cells else 0]
        if not in_cells:
            self._prune_stem(last)
        if prune_norm or shortened:
            self._prune_norm()
        if prune_head or shortened:
            self.reset_classifier(0)
        return taken

    def get_classifier(self) -> nn.Module:
        """Return the classifier: a linear layer, or an identity if there is none."""
        classifier: nn.Module = self.classifier
        return classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by one with initial weights, and remove the auxiliary head.

        Args:
            num_classes: Number of classes; 0 for no classifier. The network then returns the
                pooled features.
            global_pool: "avg" or None; these networks have no other pooling.

        Raises:
            ValueError: `global_pool` is another pooling.
        """
        if global_pool not in {None, "", "avg"}:
            raise ValueError(f"global_pool must be 'avg', got {global_pool!r}")
        self.num_classes = num_classes
        self.auxiliary_head = None
        self.classifier = (
            nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        )

    def _normalised(self, last: Tensor) -> Tensor:
        """Return the last map as the pooling before the classifier reads it."""
        return last

    def _prune_norm(self) -> None:
        """Remove the layers of `_normalised`."""

    def _prune_stem(self, last: str) -> None:
        """Remove the layers of the stem after the module `last`."""


def require_maps(network: object, *more: str) -> None:
    """Raise unless a network has the attributes of a `FeatureMapNetwork`.

    Args:
        network: The network.
        more: Names of further attributes that it must have.

    Raises:
        ValueError: An attribute is missing; the message names it.
    """
    if missing := [name for name in (*_MEMBERS, *more) if not hasattr(network, name)]:
        raise ValueError(
            f"feature maps need a network that is a relativenas_optuna.networks.FeatureMapNetwork, "
            f"or has its attributes; {type(network).__name__} lacks {', '.join(missing)}"
        )
