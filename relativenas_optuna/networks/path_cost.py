"""The cost of an architecture before it is trained, counted on a path of the supernet."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from relativenas_optuna.networks.meta_copy import meta_copy, short
from relativenas_optuna.networks.network_cost import Cost
from relativenas_optuna.networks.protocol import SharedNetwork, as_module

A = TypeVar("A")

# A layer of these packages costs what its input's shape says; others may hold a state that a
# supernet sets before it calls them.
_STATELESS = ("torch.nn.modules.", "relativenas_optuna.networks.")
# Output, operations and `Part` of a layer, by what it is and its input's shape and type.
_Known: TypeAlias = dict[tuple[object, torch.Size, torch.dtype], tuple[Tensor, int, "Part"]]
# Functions without multiplications whose shapes torch computes in Python on the meta device.
_SLOW = {torch.ops.aten.add.Tensor, torch.ops.aten.cat.default}


@dataclass(frozen=True)
class Part:
    """A module of a supernet that maps one tensor to another and holds no state of a path.

    Equal modules with inputs of the same shape are the same part.

    Attributes:
        name: Name in the supernet of one of these modules.
        shape: Shape of the input for one image.
    """

    name: str
    shape: tuple[int, ...]


class PathCosts(Generic[A]):
    """Parameters and multiply-adds of the architectures of a supernet, each counted once.

    They are counted on a copy of the supernet on the meta device, which has no values. So no weight
    is copied, and later changes to the supernet do not matter. At 16 channels and 8 cells an
    architecture takes 14 ms on a CPU; to build its network would take 140 ms. Any thread may call
    `cost`.

    Args:
        supernet: Supernet, which does not change.
        input_size: (channels, height, width) of an image.

    Raises:
        TypeError: `supernet` is not a module with `tensors`.
        ValueError: The supernet cannot be copied.

    Example:
        >>> from relativenas_optuna.networks import Supernet
        >>> from relativenas_optuna.spaces import CellSpace, published
        >>> costs = PathCosts(Supernet(CellSpace(), channels=4, cells=3), (3, 32, 32))
        >>> costs.cost(published("DARTS_V1")).parameters
        2798
    """

    def __init__(self, supernet: SharedNetwork[A], input_size: tuple[int, int, int]) -> None:
        self._twin: Any = meta_copy(as_module(supernet)).eval()
        self._counter = _Counter()
        self._images = torch.empty(1, *input_size, device="meta")
        self._costs: dict[A, Cost] = {}
        self._lock = threading.Lock()
        _remember_costs(self._twin, self._counter, {})

    def cost(self, genotype: A) -> Cost:
        """Return the cost of an architecture.

        The parameters are those of the stand-alone network if the supernet has `parameter_count`
        or `standalone`, otherwise those in `tensors`.

        Raises:
            ValueError: The architecture is not in the space, or the supernet does not run on
                tensors without values or images of this size.
        """
        with self._lock:
            if genotype not in self._costs:
                self._costs[genotype] = Cost(
                    parameters=self._parameters(genotype),
                    multiply_adds=self._multiply_adds(genotype),
                )
            return self._costs[genotype]

    def parts(self, genotype: A) -> list[Part]:
        """Return the parts that an architecture runs, in their order, repeated ones too.

        Functions that the supernet calls outside of its modules, such as additions, are not among
        them.

        Raises:
            ValueError: As `cost`.
        """
        with self._lock:
            self._multiply_adds(genotype)
            return list(self._counter.parts)

    def _parameters(self, genotype: A) -> int:
        if hasattr(self._twin, "parameter_count"):
            return int(self._twin.parameter_count(genotype))
        if hasattr(self._twin, "standalone"):
            own = self._twin.standalone(genotype).parameters()
        else:
            own = self._twin.tensors(genotype).values()
        return sum(tensor.numel() for tensor in own if isinstance(tensor, nn.Parameter))

    def _multiply_adds(self, genotype: A) -> int:
        self._counter.flops = 0
        self._counter.parts.clear()
        try:
            with torch.no_grad(), self._counter:
                self._twin(self._images, genotype)
        except ValueError:
            raise
        except Exception as error:  # a network of the user can raise anything
            raise ValueError(
                f"multiply-adds cannot be counted, because the supernet does not run on the meta "
                f"device: {short(error)}"
            ) from error
        # The counter counts a multiplication and an addition apart.
        return self._counter.flops // 2


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counter of the floating-point operations of convolutions and matrix products.

    Additions and concatenations are run once for each shape: on the meta device they take ten times
    as long as all else.
    """

    flops = 0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.parts: list[Part] = []
        self._known: dict[object, Tensor] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _SLOW and not kwargs:
            key = (func, _described(args))
            if key not in self._known:
                self._known[key] = func(*args)
            # An alias, whose shape can be changed in place.
            return self._known[key].detach()
        out = func(*args, **kwargs or {})
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **kwargs or {}, out_val=out)
        return out


def _described(argument: Any) -> Any:
    """Return all that the output's shape depends on, as a hashable value."""
    if isinstance(argument, Tensor):
        return argument.shape, argument.stride(), argument.dtype, argument.device
    if isinstance(argument, list | tuple):
        return tuple(map(_described, argument))
    return argument


def _remember_costs(module: nn.Module, counter: _Counter, known: _Known, prefix: str = "") -> None:
    """Remember the cost of each part by its input's shape, so that it runs once for each shape.

    Equal parts share the remembered costs: a supernet has many cells, but few kinds of layers.
    """
    for name, part in module.named_children():
        if _is_stateless(part) and _takes_one_tensor(part):
            part.forward = _remembered(part, f"{prefix}{name}", counter, known)
        else:
            _remember_costs(part, counter, known, f"{prefix}{name}.")


def _is_stateless(module: nn.Module) -> bool:
    return type(module).__module__.startswith(_STATELESS) and all(
        map(_is_stateless, module.children())
    )


def _takes_one_tensor(module: nn.Module) -> bool:
    lists = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
    return not isinstance(module, lists) and len(inspect.signature(module.forward).parameters) == 1


def _remembered(
    part: nn.Module, name: str, counter: _Counter, known: _Known
) -> Callable[[Tensor], Tensor]:
    forward = part.forward
    kind = (repr(part), tuple(parameter.shape for parameter in part.parameters()))

    def run(x: Tensor) -> Tensor:
        key = (kind, x.shape, x.dtype)
        if key not in known:
            before = counter.flops
            out: Tensor = forward(x)
            known[key] = out, counter.flops - before, Part(name, tuple(x.shape))
            counter.parts.append(known[key][2])
            return out
        out, flops, same = known[key]
        counter.flops += flops
        counter.parts.append(same)
        return out

    return run
