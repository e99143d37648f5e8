"""Train one architecture from initial weights, with the settings of a search."""

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
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.metrics import Loss, Metric


def initial_network(supernet: Any, genotype: Any, *, seed: int) -> nn.Module:
    """Return the stand-alone network of an architecture, with initial weights of its own.

    Args:
        supernet: Supernet whose method `standalone(genotype)` makes the network.
        genotype: The architecture.
        seed: Seed of the weights, 0 to 2**64 - 1.

    Returns:
        The network on the CPU; it has none of the weights of the supernet.

    Raises:
        ProtocolError: The supernet has no method `standalone`, or a module of the network has no
            method to draw its weights anew.
    """
    make = getattr(supernet, "standalone", None)
    if make is None:
        raise ProtocolError(
            f"for stand-alone training the supernet must have a method standalone(genotype) (see "
            f"networks.SharedNetwork); {type(supernet).__name__} has none"
        )
    network: nn.Module = make(genotype).cpu()
    generator = torch.Generator().manual_seed(seed)
    # Modules draw from torch's global generator, whose state must stay as it is.
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
    training: ImageSet,
    validation: ImageSet,
    *,
    settings: SearchSettings,
    epochs: int,
    seed: int,
    loss: Loss = functional.cross_entropy,
    metric: Metric | None = None,
) -> Evaluation:
    """Train a network for some epochs and score it on the validation images.

    Learning rate and drop-path change over the epochs as over the generations of a search.

    Args:
        network: Network from images `[b, c, h, w]` to logits; it is moved to the device of the
            images. Drop-path is used if its `forward` takes `drop_path` and `generator`.
        training: Images to train on.
        validation: Images to score with, on the same device.
        settings: Settings of the search; `generations` is not used.
        epochs: Number of epochs, at least 1.
        seed: Seed of the order of images, augmentation and drop-path, 0 to 2**64 - 1.
        loss: Loss to train and score with; see `train_epoch`.
        metric: Metric to score with; see `evaluate`.

    Returns:
        The score after the last epoch. If the training diverged, it stopped early and the loss is
        not finite.

    Raises:
        ValueError: The number of epochs is below 1.
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
    """Return a seed of 64 bits that depends on `seed` and the text of an architecture."""
    return int.from_bytes(sha256(f"{seed} {text}".encode()).digest()[:8])
