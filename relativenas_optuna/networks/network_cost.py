"""The cost of a network: parameters and multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Cost of a network in evaluation, without the auxiliary head.

    Attributes:
        parameters: Number of learnt parameters.
        multiply_adds: Multiply-adds of all convolutions and linear layers in one forward pass of
            one image.
    """

    parameters: int
    multiply_adds: int


def cost(network: nn.Module, input_size: tuple[int, int, int]) -> Cost:
    """Count the parameters and multiply-adds of a stand-alone network.

    The pass runs on the meta device: no values are computed, and the network does not change.

    Args:
        network: Network to count; `Supernet.standalone` returns that of a path of a supernet.
        input_size: (channels, height, width) of an image.

    Raises:
        ValueError: The network does not take images of this size.
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


@dataclass(frozen=True, kw_only=True)
class CostLimits:
    """Limits of the cost of an architecture.

    Attributes:
        parameters: Largest number of learnt parameters; None for no limit.
        multiply_adds: Largest number of multiply-adds for one image; None for no limit.

    Raises:
        ValueError: A limit is not a whole number of at least 1.
    """

    parameters: int | None = None
    multiply_adds: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self._limits().items():
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {limit!r}")

    def violations(self, cost: Cost) -> dict[str, float]:
        """Return how far a cost exceeds each limit, by name, as a share of the limit.

        Optuna takes these values as a trial's constraints: at most 0 if the limit is kept.
        """
        return {
            name: (getattr(cost, name) - limit) / limit for name, limit in self._limits().items()
        }

    def refusal(self, cost: Cost) -> str | None:
        """Return one line that names the exceeded limits; None if there are none."""
        over = [
            f"{getattr(cost, name):,} {name.replace('_', '-')} (limit {limit:,})"
            for name, limit in self._limits().items()
            if getattr(cost, name) > limit
        ]
        return f"the architecture costs too much: {', '.join(over)}" if over else None

    def _limits(self) -> dict[str, Any]:
        return {name: limit for name, limit in vars(self).items() if limit is not None}
