"""Checks of the arguments of a supernet objective, and the division of its images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from relativenas_optuna.networks.network_cost import CostLimits
from relativenas_optuna.objective.settings import SearchSettings, check_seed, preset
from relativenas_optuna.spaces.protocol import check_space
from relativenas_optuna.training.data.fingerprint import digest
from relativenas_optuna.training.data.load import as_images

if TYPE_CHECKING:
    from pathlib import Path

    from relativenas_optuna.training.data.dataset_items import AnyDataset
    from relativenas_optuna.training.data.image_set import ImageSet

T = TypeVar("T")


class DividedImages(NamedTuple):
    """The images of an objective.

    Attributes:
        training: Images to train on.
        validation: Images to score with.
        fingerprint: Text that is the same for the same images, labels and class names.
    """

    training: ImageSet
    validation: ImageSet
    fingerprint: str


def check_arguments(
    *, seed: object, space: object, loss: object, metric: object | None, limits: object | None
) -> None:
    """Raise if an argument of a supernet objective has a wrong type.

    Args:
        seed: Seed, a whole number from 0 to 2**32 - 1.
        space: Search space.
        loss: Function of logits and labels.
        metric: Function of logits and labels; None for none.
        limits: A `CostLimits`; None for none.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The seed is out of range.
    """
    check_seed(seed)
    check_space(space)
    _check_function("loss", loss)
    if metric is not None:
        _check_function("metric", metric)
    if limits is not None:
        _instance("limits", limits, CostLimits)


def checked_settings(settings: SearchSettings | str) -> SearchSettings:
    """Return search settings, or those of the preset of a name.

    Raises:
        TypeError: `settings` has the wrong type.
        ValueError: No preset has this name.
    """
    found = preset(settings) if isinstance(settings, str) else settings
    return _instance("settings", found, SearchSettings)


def divided_images(
    data: ImageSet | AnyDataset | str | Path,
    validation: ImageSet | AnyDataset | None,
    *,
    train_fraction: float,
    seed: int,
) -> DividedImages:
    """Return the images to train on and to score with.

    Args:
        data: Images, or a data set that `as_images` takes.
        validation: Images to score with; None to split `data`.
        train_fraction: Share of `data` to train on if it is split, 0 to 1.
        seed: Seed of the split.

    Raises:
        DataError: The images cannot be used.
        TypeError: `validation` has the wrong type.
    """
    images = as_images(data)
    fingerprint = digest(images)
    if validation is None:
        return DividedImages(*images.split(train_fraction, seed=seed), fingerprint)
    held_out = as_images(validation, like=images)
    return DividedImages(images, held_out, f"{fingerprint} {digest(held_out)}")


def _instance(name: str, value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {value!r}")
    return value


def _check_function(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a function of logits and labels; got {value!r}")
