"""The protocol of a supernet: a network with the weights of all architectures of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from relativenas_optuna.exceptions import ProtocolError

A_contra = TypeVar("A_contra", contravariant=True)


class SharedNetwork(Protocol[A_contra]):
    """A supernet: a `torch.nn.Module` that runs any architecture of a space with shared weights.

    `Supernet` and `NASBench201Supernet` are supernets. Your own is a module with the two
    methods below; `check_supernet` tests them. A supernet may have three more:

    - ``least_size``: least height and width of an image.
    - ``standalone(genotype)``: the stand-alone network, whose parameters are counted.
    - ``parameter_count(genotype)``: the same number without building that network.
    """

    def __call__(
        self,
        images: Tensor,
        genotype: A_contra,
        /,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the logits of a batch for an architecture, by the module's `forward`.

        The same arguments give the same bits, in training too: all random numbers come from
        `generator`.

        Args:
            images: `[b, c, h, w]`, normalised.
            genotype: An architecture of the space.
            drop_path: Drop-path probability in [0, 1) for training. It rises with the generations;
                a supernet may ignore it.
            generator: Random generator of drop-path, on the device of the images.

        Returns:
            Logits `[b, classes]`.
        """

    def tensors(self, genotype: A_contra, /) -> Mapping[str, Tensor]:
        """Return the module's own parameters and buffers of an architecture, by name.

        The names are those of `state_dict`. The result holds all tensors that `forward` reads or
        writes for the architecture, also those that all architectures share: a candidate trains
        these tensors, and a commit writes them.
        """

    if TYPE_CHECKING:

        def __getattr__(self, name: str, /) -> Any:
            """Return any other attribute of a `torch.nn.Module`."""


def as_module(supernet: object) -> nn.Module:
    """Return the supernet, after a check that it is a module with `tensors`.

    Raises:
        TypeError: `supernet` is not a module, or has no `tensors`.
    """
    if not isinstance(supernet, nn.Module) or not callable(getattr(supernet, "tensors", None)):
        what = supernet if isinstance(supernet, type) else type(supernet)
        raise TypeError(
            f"supernet must be a torch.nn.Module with a method tensors(genotype) "
            f"(see networks.SharedNetwork), got {what.__name__}"
        )
    return supernet


def check_path(
    supernet: SharedNetwork[A_contra], genotype: A_contra, images: Tensor, classes: int
) -> Tensor:
    """Run an architecture once, in evaluation mode, and raise if the supernet cannot be trained.

    Args:
        supernet: Supernet on the device of `images`; its weights and modes do not change.
        genotype: An architecture of its space.
        images: `[b, c, h, w]`, normalised.
        classes: Number of logits for each image.

    Returns:
        The logits `[b, classes]`.

    Raises:
        ProtocolError: `tensors` are not those of the state dict, the images do not go through, or
            the logits have another shape.
        TypeError: `supernet` is not a module, or has no `tensors`.
    """
    module = as_module(supernet)
    check_tensors(module, supernet.tensors(genotype))
    height, width = images.shape[2:]
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            logits: object = supernet(images, genotype)
    except Exception as error:  # a network of the user can raise anything
        reason = " ".join(str(error).split())
        raise ProtocolError(
            f"the supernet does not take images of {images.shape[1]} channels and {width}x"
            f"{height} pixels, {type(error).__name__}: {reason[:200]}"
        ) from error
    finally:
        for part, training in modes:
            part.training = training
    expected = [len(images), classes]
    if not isinstance(logits, Tensor):
        raise ProtocolError(
            f"supernet(images, genotype) must give logits {expected}, got {type(logits).__name__}"
        )
    if list(logits.shape) != expected or not logits.is_floating_point():
        raise ProtocolError(
            f"supernet(images, genotype) must give logits {expected} for {classes} classes, got "
            f"{logits.dtype} {list(logits.shape)}"
        )
    return logits


def check_tensors(module: nn.Module, tensors: object) -> None:
    """Raise unless `tensors(genotype)` are the module's own tensors by their state-dict names.

    Raises:
        ProtocolError: A tensor is not one of the module's, or has another name there; the message
            names the first one.
    """
    if not isinstance(tensors, Mapping) or not tensors:
        raise ProtocolError(
            f"tensors(genotype) must be a mapping of names to tensors, got {type(tensors).__name__}"
        )
    state = module.state_dict(keep_vars=True)
    for name, tensor in tensors.items():
        if name not in state:
            raise ProtocolError(
                f"tensors(genotype) must have names of the state dict, got {name!r}"
            )
        if tensor is not state[name]:
            raise ProtocolError(
                f"tensors(genotype) must hold the module's own tensors, {name!r} is another: take "
                f"those of state_dict(keep_vars=True)"
            )
