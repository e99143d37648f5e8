"""Training of one architecture on its own, from first weights, with the settings of a search."""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from relativenas_optuna.evaluation.standalone.epoch import augmentation_of, one_epoch, sgd
from relativenas_optuna.exceptions import ProtocolError
from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.training.loop import Evaluation, evaluate

if TYPE_CHECKING:
    from torch import nn

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.metrics import Loss, Metric


def initial_network(supernet: Any, genotype: Any, *, seed: int) -> nn.Module:
    """The stand-alone network of an architecture, with first weights of its own.

    Args:
        supernet: Its `standalone(genotype)` makes the network.
        genotype: The architecture.
        seed: Of the weights; from 0 to 2**64 - 1.

    Returns:
        The network on the CPU, with nothing left of the supernet's weights.

    Raises:
        ProtocolError: The supernet makes no such networks, or one has tensors that cannot be drawn
            anew.
    """
    make = getattr(supernet, "standalone", None)
    if make is None:
        raise ProtocolError(
            f"to train an architecture on its own the supernet must have a method "
            f"standalone(genotype) (see networks.SharedNetwork); {type(supernet).__name__} has none"
        )
    network: nn.Module = make(genotype).cpu()
    generator = torch.Generator().manual_seed(seed)
    # What a module draws it takes from torch's global stream, which is not ours to move on.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for name, module in network.named_modules():
            own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            elif own:
                raise ProtocolError(
                    f"module {name!r} of the stand-alone network has weights of its own, so it "
                    f"must have a method reset_parameters(), as torch's layers do; "
                    f"{type(module).__name__} has none"
                )
    draw_weights(network, generator)
    return network


def train_standalone(
    network: nn.Module,
    training: Images,
    validation: Images,
    *,
    settings: SearchSettings,
    epochs: int,
    seed: int,
    loss: Loss = functional.cross_entropy,
    metric: Metric | None = None,
) -> Evaluation:
    """Train a network for some epochs and score it on the validation images.

    Learning rate and drop-path go in the epochs as in the generations of a search.

    Args:
        network: Images `[b, c, h, w]` -> logits; is moved to the images' device. Drop-path is
            for one whose `forward` takes `drop_path` and `generator`.
        training: Images to train on.
        validation: Images to score with, on the same device.
        settings: Of the search; its `generations` are not used.
        epochs: At least 1.
        seed: Of the order of images, augmentation and drop-path; from 0 to 2**64 - 1.
        loss: See `train_epoch`.
        metric: See `evaluate`.

    Returns:
        The score after the last epoch. Its loss is not finite where the training diverged, which
        ends it.

    Raises:
        ValueError: The number of epochs is out of range.
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1; got {epochs}")
    schedule = replace(settings, generations=epochs)
    network = network.to(training.device).to(memory_format=torch.channels_last)
    optimizer = sgd(network, schedule)
    augmentation = augmentation_of(schedule)
    for epoch in range(epochs):
        result = one_epoch(
            network,
            optimizer,
            training,
            schedule=schedule,
            epoch=epoch,
            seed=seed,
            augmentation=augmentation,
            loss=loss,
        )
        if not math.isfinite(result.loss):
            break
    return evaluate(
        network,
        validation,
        module=network,
        batch_size=2 * schedule.batch_size,  # without gradients there is room for more
        loss=loss,
        metric=metric,
        memory_format=torch.channels_last,
    )


def architecture_seed(seed: int, text: str) -> int:
    """A seed of 64 bits for the architecture of that text."""
    return int.from_bytes(sha256(f"{seed} {text}".encode()).digest()[:8])
