"""Networks as models of timm, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna.networks.build_network import build, dataset_of, sizes_of
from relativenas_optuna.networks.feature_maps import require_maps
from relativenas_optuna.networks.io.network_file import StoredNetwork, read_weights
from relativenas_optuna.spaces.published_cells import PUBLISHED

if TYPE_CHECKING:
    from torch import nn

    from relativenas_optuna.spaces.space_genotype import AnyGenotype

PREFIX = "relativenas_"
_NAME = re.compile(rf"{PREFIX}[a-z0-9_]{{1,100}}")

default_cfgs: dict[str, Any] = {}
"""Settings of the registered models by name; timm reads this variable of this module."""


def register_with_timm(
    name: str | None = None,
    genotype_or_name: AnyGenotype | str | None = None,
    dataset: str | None = None,
    *,
    channels: int | None = None,
    cells: int | None = None,
    pool_norm: bool | None = None,
    weights: str | Path | None = None,
) -> tuple[str, ...]:
    """Register networks with timm, for `timm.create_model` and for every tool that calls it.

    Without arguments the ImageNet networks of all published cells are registered:
    "relativenas_imagenet" is that of RelativeNAS, "relativenas_darts_v2_imagenet" that of DARTS V2,
    and so on. With a name and an architecture this one is registered. A second registration of a
    name replaces the first, and timm warns.

    The models accept `num_classes`, `in_chans`, `features_only`, `out_indices` and `pretrained`.
    Segmentation Models PyTorch knows them as encoders "tu-NAME".

    Args:
        name: Name of the model: "relativenas_" and then lower-case letters, digits and "_".
        genotype_or_name: The architecture, as for `build`.
        dataset: "cifar10", "cifar100" or "imagenet"; None for that of `weights`, without them
            "imagenet".
        channels: Channels of the first cell's nodes; None for those of `weights` or `dataset`.
        cells: Number of cells; None for those of `weights` or `dataset`.
        pool_norm: True to add an affine batch norm after each pooling; None as for `build`.
        weights: A file of trained weights, which `pretrained=True` loads; see `build`. The default
            number of classes is then that of the file. None if there is none: `pretrained=True`
            then needs `pretrained_cfg_overlay={"file": FILE}`.

    Returns:
        The names that were registered.

    Raises:
        ImportError: timm is not installed.
        ValueError: The name is not allowed, the architecture is missing, or it cannot be built
            with these sizes and weights.

    Example:
        >>> import timm
        >>> register_with_timm()[0]
        'relativenas_imagenet'
        >>> timm.create_model("relativenas_imagenet", features_only=True).feature_info.channels()
        [23, 46, 184, 368, 736]
    """
    if (name is None) != (genotype_or_name is None):
        raise ValueError("name and genotype_or_name must be given together, or both left out")
    if name is None or genotype_or_name is None:
        names = {_published_name(cell): cell for cell in PUBLISHED}
        for model, cell in names.items():
            if model not in default_cfgs:
                register_with_timm(model, cell)
        return tuple(names)
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name must be {PREFIX!r} and then lower-case letters, digits and '_', got {name!r:.99}"
        )
    stored = None if weights is None else read_weights(weights)
    given = {"channels": channels, "cells": cells, "pool_norm": pool_norm}
    settings: dict[str, Any] = {} if stored is None else dict(sizes_of(stored))
    if stored is not None and stored.description is not None:
        settings["pool_norm"] = stored.description.pool_norm
    settings |= {key: value for key, value in given.items() if value is not None}
    make = partial(build, genotype_or_name, dataset or dataset_of(stored, "imagenet"), **settings)
    _register(name, make, stored, None if weights is None else str(weights))
    return (name,)


def _published_name(cell: str) -> str:
    """Return the name of the ImageNet model of a published cell."""
    words = [] if cell == "RelativeNAS" else [re.sub(r"\W", "_", cell.lower())]
    return PREFIX + "_".join([*words, "imagenet"])


def _register(
    name: str, make: Callable[..., Any], stored: StoredNetwork | None, file: str | None
) -> None:
    """Register one model, after its network was built once to check it.

    Args:
        name: Name of the model.
        make: Function that returns the network and takes the other arguments of `build`.
        stored: Trained weights, or None.
        file: Path of their file, or None.
    """
    timm = _timm()
    network = make(weights=stored)
    require_maps(network, "num_classes", "in_channels")
    maps = tuple(range(len(network.feature_info)))
    default_cfgs.update(
        timm.generate_default_cfgs({name: {"file": file} | _settings(network, stored)})
    )

    def model(
        pretrained: bool = False,
        pretrained_cfg: Any = None,
        pretrained_cfg_overlay: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> nn.Module:
        own = {"pretrained_cfg": pretrained_cfg, "pretrained_cfg_overlay": pretrained_cfg_overlay}
        file = timm.resolve_pretrained_cfg(name, **own).file if pretrained else None
        if pretrained and not file:
            raise ValueError(
                f"{name} has no pretrained weights: register it with weights=FILE, give "
                f"pretrained_cfg_overlay={{'file': FILE}}, or leave pretrained out"
            )
        built: nn.Module = timm.build_model_with_cfg(
            partial(_network, make, weights=file),
            name,
            pretrained=False,  # `build` reads the file, and checks that it fits
            feature_cfg={"feature_cls": "getter", "out_indices": maps},
            **own,
            **kwargs,
        )
        return built

    model.__name__ = name
    timm.register_model(model)


def _settings(network: Any, stored: StoredNetwork | None) -> dict[str, Any]:
    """Return what timm knows of a model: sizes and normalisation of its images, its classes."""
    small = network.feature_info[0]["reduction"] == 1
    settings = {
        "num_classes": network.num_classes,
        "input_size": (network.in_channels, *((32, 32) if small else (224, 224))),
        "first_conv": "stem.0" if small else "stem0.0",
        "classifier": "classifier",
    }
    if stored is not None and (of := stored.description) is not None:
        settings |= {"mean": of.mean, "std": of.std, "input_size": (of.in_channels, *of.size)}
    return settings


def _network(
    make: Callable[..., Any], *, weights: str | None, num_classes: int, in_chans: int
) -> nn.Module:
    """Build a network by the argument names of timm's models."""
    network = make(weights=weights, num_classes=num_classes or None, in_channels=in_chans)
    if not num_classes:
        network.reset_classifier(0)
    return network  # type: ignore[no-any-return]


def _timm() -> Any:
    """Return the module `timm.models`.

    Raises:
        ImportError: timm is not installed.
    """
    try:
        from timm import models

        return models
    except ModuleNotFoundError as error:
        raise ImportError(
            "timm is not installed: pip install 'relativenas-optuna[timm]'"
        ) from error
