"""A check for your own tests: a space and a supernet keep their protocols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from relativenas_optuna.exceptions import ProtocolError
from relativenas_optuna.networks.protocol import SharedNetwork, as_module, check_path
from relativenas_optuna.spaces.canonical import canonical
from relativenas_optuna.spaces.protocol import A, Space, check_space


def check_supernet(
    space: Space[A],
    supernet: SharedNetwork[A],
    images: Tensor,
    *,
    classes: int,
    samples: int = 5,
    seed: int = 0,
) -> None:
    """Check on random architectures that a space and a supernet keep their protocols.

    The space must have hashable architectures, and must read each one back from its parameters and
    from its text. A representative of its `canonical`, if there is this method, must represent
    itself. The supernet must keep these rules:

    - `tensors` returns the module's own tensors, named as in the state dict.
    - Evaluation reads no other tensors. Training reads and writes no others, and gives no others a
      gradient.
    - The logits are `[b, classes]`.
    - The same call gives the same bits and does not use torch's global random state.
    - A network that `standalone` returns, if there is this method, gives the logits of its path.

    Args:
        space: Search space.
        supernet: Supernet; its weights, modes and gradients do not change.
        images: `[b, c, h, w]`, normalised, on the device of the supernet; b at least 2.
        classes: Number of logits for each image.
        samples: Number of architectures to try.
        seed: Seed of the random architectures, at least 0.

    Raises:
        ProtocolError: A rule is broken; the message names the rule and the architecture.
        TypeError: `space` or `supernet` lacks a part of its protocol.
    """
    check_space(space)
    module = as_module(supernet)
    rng = np.random.default_rng(seed)
    for _ in range(samples):
        genotype = space.random(rng)
        check_genotype(space, genotype)
        with _kept(module):
            try:
                _check_evaluation(supernet, module, genotype, images, classes)
                _check_training(supernet, module, genotype, images)
                _check_standalone(supernet, module, genotype, images)
            except ProtocolError as error:
                text = " ".join(space.text(genotype).split())
                raise ProtocolError(f"{error} (architecture {text})") from error


def check_genotype(space: Space[A], genotype: A) -> None:
    """Raise if a space does not read an architecture back from its parameters and its text.

    Raises:
        ProtocolError: The parameters or the text give another architecture.
        TypeError: The architecture is not hashable.
    """
    hash(genotype)
    params = space.params(genotype)
    names = set(space.distributions)
    if set(params) != names:
        odd = sorted(set(params) ^ names)
        raise ProtocolError(f"params(genotype) must have the names of distributions, not so: {odd}")
    for name, distribution in space.distributions.items():
        if not distribution._contains(distribution.to_internal_repr(params[name])):
            raise ProtocolError(f"params(genotype) has {name}={params[name]!r}, not of its kind")
    if space.genotype(params) != genotype:
        raise ProtocolError(f"genotype(params(g)) must be g, not so for {genotype!r}")
    if space.parse(space.text(genotype)) != genotype:
        raise ProtocolError(f"parse(text(g)) must be g, not so for {genotype!r}")
    representative = canonical(space, genotype)
    if representative is not None and canonical(space, representative) != representative:
        raise ProtocolError(
            f"canonical(g) must represent itself, not so for {genotype!r}: its representative is "
            f"{representative!r}, and the representative of this one is another"
        )


def _check_evaluation(
    supernet: SharedNetwork[A], module: nn.Module, genotype: A, images: Tensor, classes: int
) -> None:
    logits = check_path(supernet, genotype, images, classes)
    _require_same(logits, check_path(supernet, genotype, images, classes), "run a second time")
    with _others_spoilt(supernet, module, genotype):
        spoilt = check_path(supernet, genotype, images, classes)
        _require_same(logits, spoilt, "run with other values outside tensors(genotype)")


def _check_training(
    supernet: SharedNetwork[A], module: nn.Module, genotype: A, images: Tensor
) -> None:
    own = {id(tensor) for tensor in supernet.tensors(genotype).values()}
    logits = []
    for _ in range(2):
        with _kept(module), _others_spoilt(supernet, module, genotype) as before:
            module.train()
            module.zero_grad()
            world = torch.get_rng_state()
            generator = torch.Generator(images.device).manual_seed(0)
            output = supernet(images, genotype, drop_path=0.2, generator=generator)
            if not torch.equal(torch.get_rng_state(), world):
                raise ProtocolError("training must draw from `generator`, not from torch's global")
            if not output.isfinite().all():
                raise ProtocolError("training reads what is not in tensors(genotype)")
            output.square().sum().backward()  # type: ignore[no-untyped-call]
            logits.append(output.detach().clone())
            for name, tensor in module.state_dict(keep_vars=True).items():
                changed = not _same(tensor, before[name])
                if id(tensor) not in own and (changed or tensor.grad is not None):
                    what = "writes" if changed else "gives a gradient to"
                    raise ProtocolError(f"training {what} {name!r}, which is not in tensors()")
    _require_same(logits[0], logits[1], "trained a second time with an equal generator")


def _check_standalone(
    supernet: SharedNetwork[A], module: nn.Module, genotype: A, images: Tensor
) -> None:
    if not hasattr(supernet, "standalone"):
        return
    with torch.no_grad():
        module.train()
        supernet(images, genotype)  # moves running statistics, so that a lost one shows
        module.eval()
        alone: nn.Module = supernet.standalone(genotype)
        ours, theirs = supernet(images, genotype), alone.eval()(images)
    if not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5):
        raise ProtocolError("standalone(genotype) must give the logits of its path, and does not")
    if hasattr(supernet, "parameter_count"):
        count = sum(parameter.numel() for parameter in alone.parameters())
        if supernet.parameter_count(genotype) != count:
            raise ProtocolError(
                f"parameter_count(genotype) must be that of standalone(genotype), {count}, got "
                f"{supernet.parameter_count(genotype)}"
            )


@contextmanager
def _kept(module: nn.Module) -> Iterator[None]:
    """Restore a module's values, gradients and modes at the end of the `with` statement."""
    state = module.state_dict(keep_vars=True)
    values = {name: tensor.detach().clone() for name, tensor in state.items()}
    gradients = {name: tensor.grad for name, tensor in state.items()}
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(values[name])
                tensor.grad = gradients[name]
        for part, training in modes:
            part.training = training


@contextmanager
@torch.no_grad()
def _others_spoilt(
    supernet: SharedNetwork[A], module: nn.Module, genotype: A
) -> Iterator[Mapping[str, Tensor]]:
    """Set all tensors outside `tensors(genotype)` to NaN, and yield all values after that."""
    # By identity: weights that are tied have two names in the state dict.
    own = {id(tensor) for tensor in supernet.tensors(genotype).values()}
    state = module.state_dict(keep_vars=True)
    kept = {name: tensor.clone() for name, tensor in state.items() if id(tensor) not in own}
    for name in kept:
        state[name].fill_(torch.nan if state[name].is_floating_point() else 1)
    try:
        yield {name: tensor.detach().clone() for name, tensor in state.items()}
    finally:
        for name, values in kept.items():
            state[name].copy_(values)


def _require_same(first: Tensor, second: Tensor, when: str) -> None:
    if not _same(first, second):
        raise ProtocolError(f"supernet(images, genotype) gives other logits when {when}")


def _same(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first.detach(), second.detach(), rtol=0.0, atol=0.0, equal_nan=True)
