"""What a network costs: parameters and multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Cost of a network in evaluation, without the auxiliary head.

    Attributes:
        parameters: Number of learnt parameters.
        multiply_adds: Multiply-adds of one forward pass over one picture, those of convolutions
            and linear layers.
    """

    parameters: int
    multiply_adds: int


def cost(network: nn.Module, input_size: tuple[int, int, int]) -> Cost:
    """Count the parameters and multiply-adds of a stand-alone network.

    Nothing is computed and the network is left as it was: the pass runs on the meta device.

    Args:
        network: The network; `Supernet.standalone` gives one for a path of a supernet.
        input_size: (channels, height, width) of a picture.

    Raises:
        ValueError: The network does not take pictures of this size.
    """
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    modes = {module: module.training for module in network.modules()}
    counter = FlopCounterMode(display=False)
    network.eval()
    try:
        with torch.no_grad(), counter:
            functional_call(
                network,
                {name: tensor.to("meta") for name, tensor in tensors.items()},
                (torch.empty(1, *input_size, device="meta"),),
            )
    finally:
        # Not network.train(): parts of it may have been frozen in evaluation mode on purpose.
        for module, training in modes.items():
            module.training = training
    return Cost(
        parameters=sum(
            parameter.numel()
            for name, parameter in network.named_parameters()
            if not name.startswith("auxiliary_head.")
        ),
        # The counter counts a multiplication and an addition apart.
        multiply_adds=counter.get_total_flops() // 2,
    )
