"""The settings that a caller asks a search for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from relativenas_optuna._utils.checked_fields import Range, check_value
from relativenas_optuna._utils.limits import MAX_SEED, MOST
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.settings import TARGETS
from relativenas_optuna.search.limits import LimitRequest

Side = Annotated[int, Range(1, MOST["size"])]
Seed = Annotated[int, Range(0, MAX_SEED)]


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """Settings that a caller asks for; missing ones come from the study, then from the preset.

    Attributes:
        data: "digits" (the default), "cifar10", "cifar100", a folder of images per class,
            "hf:NAME" or tar files; see `load_images`.
        size: Side in pixels that images are resized to; None to keep their size.
        preset: Preset of the settings; the default is "digits" for the digits, otherwise "small".
        seed: Seed of all random numbers, 0 to 2**32 - 1; the default is 0.
        out: Folder for results, and for the weights unless `weights` is given.
        weights: Folder or bucket for the weights; see `weights_place`.
        sampler: Sampler that proposes the candidates: "relativenas" (the default), "migo",
            "random", or MODULE:CLASS of a sampler of Optuna; see `sampler_named`.
        space: Name of the search space, "cells" (the default), "nasbench201" or MODULE:ATTRIBUTE
            of a user's own; see `register_space`.
        settings: Settings by name that replace those of the preset.
        limits: Limits of the cost of an architecture.
        finals: Number of architectures in the finals, 2 to 48; 0 for no finals.
        target: Network that the finals choose for, "small" (the default) or "full"; see
            `FinalsSettings`.
        time: Seconds that the whole search takes, on this machine; the number of generations, the
            epochs of the shared weights and the finals follow from it and from the measured speed.
            None for those of the settings. A started search can get more time.
    """

    data: str | None = None
    size: Side | None = None
    preset: str | None = None
    seed: Seed | None = None
    out: str | None = None
    weights: str | None = None
    sampler: str | None = None
    space: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    limits: LimitRequest = field(default_factory=LimitRequest)
    finals: Annotated[int, Range(0)] | None = None
    target: Annotated[str, TARGETS] | None = None
    time: Annotated[float, Range(1)] | None = None


def check_time(request: SearchRequest) -> None:
    """Raise if a request has a time that is out of range, or that its generations contradict.

    Raises:
        SearchError: The request has a time and a number of generations.
        ValueError: The time is less than a second.
    """
    if request.time is None:
        return
    check_value("time", Annotated[float, Range(1)], request.time)
    if request.settings.get("generations") is not None:
        raise SearchError(
            f"generations must be left out with a time, because the time determines them; got "
            f"{request.settings['generations']!r}"
        )
