"""The networks of NAS-Bench-201 (Dong and Yang, ICLR 2020): one architecture, or all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict

import torch
from torch import Tensor, nn

from relativenas_optuna.networks.feature_maps import FeatureMapNetwork
from relativenas_optuna.networks.layers.cell import NO_DROP_PATH, DropPath
from relativenas_optuna.networks.nasbench201_stages import StageCell, Stages
from relativenas_optuna.spaces.nasbench201 import EDGES, NASBench201, NASBench201Cell
from relativenas_optuna.spaces.registry import NetworkSizes


class NASBench201Network(Stages, FeatureMapNetwork):
    """The stand-alone network of an architecture, by default at the paper's size for CIFAR-10.

    `feature_info` lists the output of the last cell of each stage.

    Args:
        genotype: The architecture.
        channels: Channels of the first stage; the second has twice as many, the third four times.
        cells: Cells of each stage.
        num_classes: Number of classes.
        in_channels: Channels of an image.

    Raises:
        ValueError: A size is out of range.

    Example:
        >>> cell = NASBench201Cell(("nor_conv_3x3",) * 6)
        >>> sum(p.numel() for p in NASBench201Network(cell).parameters())
        1531546
    """

    def __init__(
        self,
        genotype: NASBench201Cell,
        *,
        channels: int = 16,
        cells: int = 5,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__(
            genotype.edges,
            channels=channels,
            cells=cells,
            num_classes=num_classes,
            in_channels=in_channels,
        )
        self.genotype = genotype
        self._list_maps(self.outputs())

    def forward(
        self,
        images: Tensor,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the logits of a batch, `[b, num_classes]`; see `NASBench201Supernet.forward`."""
        return self.run(images, self.genotype, DropPath(drop_path, generator))

    def _features(
        self, images: Tensor, keep: Collection[str] = (), *, stop: bool = False
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.features(images, self.genotype, NO_DROP_PATH, keep, stop=stop)

    def _normalised(self, last: Tensor) -> Tensor:
        normalised: Tensor = self.lastact(last)
        return normalised

    def _prune_norm(self) -> None:
        self.lastact = nn.Sequential()


class NASBench201Supernet(Stages):
    """A supernet: the weights of all architectures of a NAS-Bench-201 space in one network.

    In evaluation mode a path gives the logits of `standalone` to the last bit.

    Args:
        space: Search space, whose architectures can be run.
        channels: Channels of the first stage; the second has twice as many, the third four times.
        cells: Cells of each stage.
        num_classes: Number of classes.
        in_channels: Channels of an image.

    Raises:
        ValueError: A size is out of range.
    """

    def __init__(
        self,
        space: NASBench201,
        *,
        channels: int = 16,
        cells: int = 5,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__(
            ((node, read, name) for node, read in EDGES for name in space.operations),
            channels=channels,
            cells=cells,
            num_classes=num_classes,
            in_channels=in_channels,
        )
        self.space = space

    def forward(
        self,
        images: Tensor,
        genotype: NASBench201Cell,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the logits of a batch for the path of an architecture.

        Args:
            images: `[b, in_channels, h, w]`, normalised; h and w of at least 4.
            genotype: An architecture of the space.
            drop_path: Probability in [0, 1) that an edge is dropped, per sample; training only,
                and identities are never dropped. The paper uses no drop-path.
            generator: Generator of the drop-path masks, on the device of the images; None for the
                default generator.

        Returns:
            Logits `[b, num_classes]`.

        Raises:
            ValueError: The genotype is not in the space, or the shape of the batch or `drop_path`
                is out of range.
        """
        self.space.params(genotype)
        return self.run(images, genotype, DropPath(drop_path, generator))

    def tensors(self, genotype: NASBench201Cell) -> dict[str, Tensor]:
        """Return the own parameters and buffers that `forward` reads for an architecture, by name.

        Raises:
            ValueError: The genotype is not in the space.
        """
        self.space.params(genotype)
        found: dict[str, Tensor] = {}
        for name, module in self._modules_of(genotype):
            module.state_dict(destination=found, prefix=f"{name}.", keep_vars=True)
        return found

    def parameter_count(self, genotype: NASBench201Cell) -> int:
        """Return the number of learnt parameters of `standalone(genotype)` without building it.

        Raises:
            ValueError: The genotype is not in the space.
        """
        return sum(
            tensor.numel()
            for tensor in self.tensors(genotype).values()
            if isinstance(tensor, nn.Parameter)
        )

    def standalone(self, genotype: NASBench201Cell) -> NASBench201Network:
        """Return the stand-alone network of an architecture with copies of these weights.

        Its mode, device and memory format are those of this network.

        Raises:
            ValueError: The genotype is not in the space.
        """
        state = {name: tensor.detach().clone() for name, tensor in self.tensors(genotype).items()}
        with torch.device("meta"):
            network = NASBench201Network(
                genotype,
                channels=self.channels,
                cells=self.stage_cells,
                num_classes=self.num_classes,
                in_channels=self.in_channels,
            )
        network.load_state_dict(state, assign=True)
        return network.train(self.training)

    def _modules_of(self, genotype: NASBench201Cell) -> Iterator[tuple[str, nn.Module]]:
        """Yield name and module of each part with tensors that an architecture runs."""
        yield "stem", self.stem
        for index, part in enumerate(self.cells):
            if isinstance(part, StageCell):
                for key, module in part.chosen(genotype):
                    yield f"cells.{index}.operations.{key}", module
            else:
                yield f"cells.{index}", part
        yield "lastact", self.lastact
        yield "classifier", self.classifier


def nasbench201_supernet(space: NASBench201, sizes: NetworkSizes) -> NASBench201Supernet:
    """Build the supernet of a NAS-Bench-201 space; each stage has `(cells - 2) // 3` cells."""
    return NASBench201Supernet(space, **_sizes(sizes))


def nasbench201_network(genotype: NASBench201Cell, sizes: NetworkSizes) -> NASBench201Network:
    """Build the stand-alone network of an architecture; each stage has `(cells - 2) // 3` cells."""
    return NASBench201Network(genotype, **_sizes(sizes))


def _sizes(sizes: NetworkSizes) -> dict[str, int]:
    """Return the sizes with the cells of each stage: a third of all cells except two reductions.

    The network of the paper has 17 cells: 5 in each of three stages, and the two reductions.
    """
    return asdict(sizes) | {"cells": max(1, (sizes.cells - 2) // 3)}
