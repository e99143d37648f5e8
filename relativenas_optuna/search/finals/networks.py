"""Networks of the finals with initial weights, and moving averages of their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim.swa_utils import AveragedModel

from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.networks.space_network import any_network
from relativenas_optuna.spaces.registry import NetworkSizes
from relativenas_optuna.spaces.space_genotype import is_built_in

if TYPE_CHECKING:
    from torch import Tensor, nn

    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.image_set import ImageSet

_WINDOW = 0.8  # epochs that the average of the weights is over


def finals_network(
    genotype: AnyGenotype, settings: FinalsSettings, images: ImageSet, *, meta: bool = False
) -> nn.Module:
    """Return the stand-alone network of an architecture for the finals.

    Args:
        genotype: The architecture.
        settings: Settings of the finals, which give the size of the network.
        images: Images to train on, which give its channels of input and its classes.
        meta: True for a network without values, on the device "meta".

    Raises:
        SpaceError: The space has no stand-alone networks.
    """
    sizes = NetworkSizes(
        channels=settings.channels,
        cells=settings.cells,
        in_channels=images.shape[0],
        num_classes=len(images.classes),
    )
    network: nn.Module = any_network(genotype, "cifar10", sizes, auxiliary=False, meta=meta)
    return network


def initial_network(
    genotype: AnyGenotype, settings: FinalsSettings, images: ImageSet, *, seed: int
) -> nn.Module:
    """Return a network of the finals with initial weights, on the CPU.

    The global random generator of PyTorch does not change. For `settings` and `images` see
    `finals_network`; `seed` is that of the weights, 0 to 2**32 - 1.
    """
    with torch.random.fork_rng(devices=[]):
        # The network of a space that is not built in draws its own initial weights.
        torch.default_generator.manual_seed(seed)
        network = finals_network(genotype, settings, images)
    if is_built_in(genotype):
        draw_weights(network, torch.Generator().manual_seed(seed))
    return network.to(memory_format=torch.channels_last)


def averaged_network(network: nn.Module, *, images: int, batch_size: int) -> AveragedModel:
    """Return the exponential moving average of a network's weights over about an epoch.

    Until an epoch is done, the average is over the larger part of the steps so far, so that
    initial weights do not count.

    Args:
        network: The network.
        images: Number of images in an epoch.
        batch_size: Number of images in a step.
    """
    most = 1 - 1 / max(2, _WINDOW * images / batch_size)

    def update(averages: Any, current: Any, steps: Tensor | int) -> None:
        done = int(steps)
        torch._foreach_lerp_(averages, current, 1 - min(most, (1 + done) / (10 + done)))

    return AveragedModel(network, multi_avg_fn=torch.no_grad()(update))
