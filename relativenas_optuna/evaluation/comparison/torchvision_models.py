"""The classification networks of torchvision as a search space, so that all commands train them.

An architecture of the space is a name of `torchvision.models.list_models`, alone or with the words
", small stem". The stems of most of these networks reduce images of 224 pixels to a quarter or a
half. With the small stem, the first convolution has stride 1 and at most 3x3 pixels, and there is
no max pooling after it, as is usual for images of 32 pixels (He et al. 2016, section 4.2).
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torchvision
from optuna.distributions import BaseDistribution, CategoricalDistribution
from torch import nn

from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.networks.network_cost import cost
from relativenas_optuna.spaces.registry import NetworkSizes, RegisteredSpace, load_space
from relativenas_optuna.spaces.space_genotype import SpaceGenotype

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

TORCHVISION_SPACE = "relativenas_optuna.evaluation.comparison.torchvision_models:TORCHVISION"
"""Name of the space for `--space`."""

SMALL_STEM = ", small stem"
"""Words after the name of a network whose stem does not reduce the image."""

_MOMENTUM = 0.1  # of batch norms, PyTorch's default
_WITHOUT_HEADS = {"aux_logits": False, "init_weights": True}
_OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": _WITHOUT_HEADS,
    "inception_v3": _WITHOUT_HEADS,
}
"""Arguments of builders beside the number of classes."""


class TorchvisionModels:
    """The space of all classification networks of torchvision, with both kinds of stems.

    It is a `Space` whose architectures are texts. A search of it is not possible, because the
    networks share no weights.
    """

    @property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """The distribution of the only parameter, "network"."""
        texts = [name + stem for name in names() for stem in ("", SMALL_STEM)]
        return {"network": CategoricalDistribution(texts)}

    def genotype(self, params: Mapping[str, Any], /) -> str:
        """Return the network of a trial's parameters."""
        return self.parse(params["network"])

    def params(self, genotype: str, /) -> dict[str, Any]:
        """Return the parameters of a network."""
        return {"network": genotype}

    def text(self, genotype: str, /) -> str:
        """Return the network itself, which is a text."""
        return genotype

    def parse(self, text: str, /) -> str:
        """Return the text if it is a network of the space.

        Raises:
            ValueError: It is none; the message names similar ones.
        """
        check_name(text.removesuffix(SMALL_STEM))
        return text

    def random(self, rng: np.random.Generator, /) -> str:
        """Draw a network with torchvision's stem."""
        return str(rng.choice(names()))


@cache
def names() -> list[str]:
    """Return the names of all classification networks of torchvision."""
    found: list[str] = torchvision.models.list_models(module=torchvision.models)
    return found


def check_name(name: str) -> None:
    """Raise if torchvision has no classification network of this name.

    Raises:
        ValueError: There is none; the message names similar ones.
    """
    if name in names():
        return
    near = difflib.get_close_matches(name, names(), n=5, cutoff=0.5)
    like = f", such as {', '.join(near)}" if near else ""
    raise ValueError(
        f"against must be a classification network of torchvision{like}; got {name!r}: "
        f"torchvision.models.list_models() has all names"
    )


def torchvision_genotype(name: str, *, small_stem: bool = False) -> SpaceGenotype:
    """Return a network of torchvision as an architecture, and load its space.

    Raises:
        ValueError: There is no such network.
    """
    check_name(name)
    load_space(TORCHVISION_SPACE)
    return SpaceGenotype(TORCHVISION_SPACE, name + (SMALL_STEM if small_stem else ""))


def has_strided_stem(name: str) -> bool:
    """Return True if the small stem differs from torchvision's stem in a network."""
    with torch.device("meta"):
        network = torchvision.models.get_model(name, weights=None, **_OPTIONS.get(name, {}))
    _, first = _first_convolution(network)
    return max(first.stride) == 2


def torchvision_network(architecture: str, sizes: NetworkSizes) -> nn.Module:
    """Build a network with torchvision's initial weights, drawn by torch's global generator.

    Batch norms get PyTorch's default momentum of 0.1. Some of these networks have 0.01 or less,
    with which the statistics of a short training would still be the initial ones.

    Args:
        architecture: Name of the network, with `SMALL_STEM` after it or not.
        sizes: Channels of an image and number of classes; the other sizes have no effect.

    Raises:
        ValueError: There is no such network.
    """
    name = architecture.removesuffix(SMALL_STEM)
    check_name(name)
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=sizes.num_classes, **_OPTIONS.get(name, {})
    )
    if hasattr(network, "transform_input"):
        network.transform_input = False  # type: ignore[assignment]  # for pretrained weights
    small = name != architecture
    path, first = _first_convolution(network)
    if small or first.in_channels != sizes.in_channels:
        network.set_submodule(path, _like(first, sizes.in_channels, small=small))
    if small:
        _remove_first_pooling(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = _MOMENTUM
    return network


def check_takes(genotype: SpaceGenotype, shape: tuple[int, int, int]) -> None:
    """Raise if a network cannot take images of a shape.

    Args:
        genotype: Result of `torchvision_genotype`.
        shape: Channels, height and width of an image.

    Raises:
        ValueError: The images are too small, or of another size than the only one it takes.
    """
    sizes = NetworkSizes(channels=1, cells=1, in_channels=shape[0], num_classes=2)
    with torch.device("meta"):
        network = torchvision_network(genotype.value, sizes)
    try:
        cost(network, shape)
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ValueError(
            f"{genotype} does not take images of {shape[2]}x{shape[1]} pixels ({reason}): give "
            f"another size by --set size=PIXELS, or leave the network out"
        ) from error


def _first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    return next(
        (path, module) for path, module in network.named_modules() if isinstance(module, nn.Conv2d)
    )


def _like(convolution: nn.Conv2d, in_channels: int, *, small: bool) -> nn.Conv2d:
    """Return a convolution for images of other channels, with stride 1 if `small` is True."""
    kernel, padding = convolution.kernel_size, convolution.padding
    if small and max(kernel) > 3:
        kernel, padding = (3, 3), (1, 1)
    new = nn.Conv2d(
        in_channels,
        convolution.out_channels,
        kernel,  # type: ignore[arg-type]
        stride=1 if small else convolution.stride,  # type: ignore[arg-type]
        padding=padding,  # type: ignore[arg-type]
        bias=convolution.bias is not None,
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new


def _remove_first_pooling(network: nn.Module) -> None:
    """Replace the max pooling between the first two convolutions by nothing, if there is one."""
    convolutions = 0
    for path, module in network.named_modules():
        convolutions += isinstance(module, nn.Conv2d)
        if convolutions > 1:
            return
        if convolutions == 1 and isinstance(module, nn.MaxPool2d):
            network.set_submodule(path, nn.Identity())
            return


def _no_supernet(_space: object, _sizes: NetworkSizes) -> Any:
    raise SpaceError("the networks of torchvision share no weights, so they cannot be searched")


TORCHVISION = RegisteredSpace(
    name=TORCHVISION_SPACE,
    space=lambda _: TorchvisionModels(),
    supernet=_no_supernet,
    network=torchvision_network,
)
"""The registered space, for `load_space`."""
