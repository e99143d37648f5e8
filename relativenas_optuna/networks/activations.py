"""Memory of the activations that a training step keeps for its backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


def activation_bytes(
    network: nn.Module, forward: Callable[[Tensor], Any], input_size: tuple[int, int, int]
) -> int:
    """Return the bytes of float32 activations that a training step keeps for one image.

    Args:
        network: Network on the meta device, see `meta_copy`. Its modes are left as they are.
        forward: Function of a batch of images that runs the network.
        input_size: (channels, height, width) of an image.
    """
    own = {tensor.untyped_storage()._cdata for tensor in network.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}  # kept, so that no number is given twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage
        return tensor

    # Two images, since batch norm cannot train on one value per channel.
    images = torch.empty(2, *input_size, device="meta")
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward(images)
    del output
    return sum(s.nbytes() for number, s in saved.items() if number not in own) // 2
