"""Selection of trained weights for a network, and checks that they fit."""

from __future__ import annotations

import re
from collections.abc import Collection

from torch import Tensor, nn

from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.networks.io.foreign_state import State, with_counters

_NAMED = 3
"""Number of differences that a message names."""
_AUXILIARY = "auxiliary_head."
_CLASSIFIERS = ("classifier.", f"{_AUXILIARY}classifier.")
_CELL = re.compile(r"cells\.([0-9]{1,6})\.")
_PLAIN = re.compile(r"[A-Za-z0-9_.]{1,120}")


def sizes_in(state: State) -> dict[str, int]:
    """Return the network sizes that some weights show, by their argument names in `build`.

    A size that the weights do not show is left out. For weights of another kind of network the
    sizes have no meaning, but they are within the allowed range.
    """
    found = {"cells": len({match[1] for name in state if (match := _CELL.match(name))})}
    large = is_imagenet(state)
    first, last = ("stem0.0.weight", "stem0.3.weight") if large else ("stem.0.weight",) * 2
    if (weight := state.get(last)) is not None and weight.dim() == 4:
        found["channels"] = len(weight) // (1 if large else 3)
    if (weight := state.get(first)) is not None and weight.dim() == 4:
        found["in_channels"] = weight.shape[1]
    if (weight := state.get("classifier.weight")) is not None and weight.dim() == 2:
        found["num_classes"] = len(weight)
    return {name: size for name, size in found.items() if 1 <= size <= MOST[name]}


def is_imagenet(state: State) -> bool:
    """Return True if weights are those of a network with the ImageNet stem."""
    return any(name.startswith("stem0.") for name in state)


def require_fit(ours: State, theirs: State, where: str) -> None:
    """Raise if weights do not fit a network.

    Args:
        ours: State dict of the network, on any device, also the meta device.
        theirs: Weights from a file, on the CPU.
        where: Name of the file for the message.

    Raises:
        ValueError: Names, shapes or types differ (the message names the first three differences),
            or a number is not finite.
    """
    found = _differences(ours, theirs)
    if found:
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ValueError(f"{where} is of another network: {'; '.join(found[:_NAMED])}{more}")
    for name, tensor in theirs.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"{where} is damaged: {name} holds what is no finite number")


def starting_anew(network: nn.Module, state: State) -> dict[str, str]:
    """Return the parts of a network that must keep initial weights, since a file's do not fit.

    Args:
        network: Network on any device.
        state: Weights from the file.

    Returns:
        The reason for each part, by the prefix of its tensors' names.
    """
    anew = {}
    own = network.state_dict()
    headless = not any(name.startswith(_AUXILIARY) for name in state)
    if _has_auxiliary(network) and headless:
        anew[_AUXILIARY] = "the auxiliary head starts anew: the weights have none"
    for beginning in _CLASSIFIERS:
        ours, theirs = (tensors.get(f"{beginning}weight") for tensors in (own, state))
        if ours is None or theirs is None or theirs.dim() != 2:
            continue
        if len(theirs) != len(ours) and theirs.shape[1] == ours.shape[1]:
            name = "auxiliary classifier" if beginning.startswith(_AUXILIARY) else "classifier"
            anew[beginning] = (
                f"the {name} starts anew: the weights tell {len(theirs)} classes apart, the "
                f"network {len(ours)}"
            )
    return anew


def fitting(
    network: nn.Module, state: State, where: str, *, anew: Collection[str] = ()
) -> dict[str, Tensor]:
    """Return the weights for a network, without the parts that get initial weights.

    An auxiliary head that the network lacks is left out.

    Args:
        network: Network on any device.
        state: Weights from a file, on the CPU.
        where: Name of the file for the message.
        anew: Prefixes of the parts that get initial weights, see `starting_anew`.

    Raises:
        ValueError: The weights do not fit the network, see `require_fit`.
    """
    headless = () if _has_auxiliary(network) else (_AUXILIARY,)
    ours = _without(network.state_dict(), anew)
    theirs = with_counters(ours, _without(state, (*anew, *headless)))
    require_fit(ours, theirs, where)
    return theirs


def _has_auxiliary(network: nn.Module) -> bool:
    return getattr(network, "auxiliary_head", None) is not None


def _without(state: State, beginnings: Collection[str]) -> dict[str, Tensor]:
    return {name: of for name, of in state.items() if not name.startswith(tuple(beginnings))}


def _differences(ours: State, theirs: State) -> list[str]:
    """Return the differences: first the network's tensors in order, then the file's other ones."""
    found = []
    for name, tensor in ours.items():
        other = theirs.get(name)
        if other is None:
            found.append(f"{name} is missing")
        elif other.shape != tensor.shape:
            found.append(f"{name} is {list(other.shape)} and should be {list(tensor.shape)}")
        elif other.dtype != tensor.dtype:
            found.append(f"{name} is {other.dtype} and should be {tensor.dtype}")
    # Sorted, since the tensors of a safetensors file have no order.
    found += [f"{_shown(name)} is not in this network" for name in sorted(set(theirs) - set(ours))]
    return found


def _shown(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else repr(name)[:80]
