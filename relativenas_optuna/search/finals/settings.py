"""The settings of the finals of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated

from relativenas_optuna._utils.checked_fields import Range, check_fields
from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.exceptions import SearchError

SMALL, FULL = TARGETS = ("small", "full")
MOST_ENTRANTS = 48  # so that the record fits into an attribute of a study in any database


@dataclass(frozen=True, kw_only=True)
class FinalsSettings:
    """The settings of the finals of a search.

    The architectures of a shortlist are trained stand-alone, as deep and thin networks on small
    images, by successive halving (Jamieson and Talwalkar, AISTATS 2016). A model of the first
    rung's losses chooses half of a shortlist of at least 4.

    Attributes:
        shortlist: Number of architectures in the first rung, 2 to 48.
        rungs: Largest number of rungs, 1 to 10; the rung with two architectures is the last one.
        keep: Share of a rung that advances to the next one, above 0 to 1.
        passes: Number of passes over the training images, in all trainings together; None for a
            number that takes about as long as the search. Each training has at least one per rung.
        cells: Number of cells of the trained networks.
        channels: Channels of the first cell's nodes.
        pixels: Largest side of the images in pixels; larger images are resized to it.
        batch_size: Images in a step, at least 2; None for the batch size of the search, or a
            smaller one with 40 steps in an epoch; see `batch_size_of`.
        learning_rate: Learning rate of all rungs.
        target: "small" to rank by the validation loss, for a network of about the size that is
            trained here. "full" to rank by loss and number of parameters together, for a
            network that is trained long and at full size, where larger architectures gain more.

    Raises:
        ValueError: A value is out of range.
    """

    shortlist: Annotated[int, Range(2, MOST_ENTRANTS)] = 16
    rungs: Annotated[int, Range(1, 10)] = 2
    keep: Annotated[float, Range(1e-6, 1)] = 0.25
    passes: Annotated[int, Range(1)] | None = None
    cells: Annotated[int, Range(1, MOST["cells"])] = 14
    channels: Annotated[int, Range(1, MOST["channels"])] = 8
    pixels: Annotated[int, Range(4, MOST["size"])] = 16
    batch_size: Annotated[int, Range(2, MOST["batch_size"])] | None = None
    learning_rate: Annotated[float, Range(0)] = 0.05
    target: Annotated[str, TARGETS] = SMALL

    def __post_init__(self) -> None:
        check_fields(self)


PRESET_FINALS: Mapping[str, FinalsSettings | None] = MappingProxyType(
    {
        "paper": None,  # the paper has none
        "small": FinalsSettings(),
        # Images of 8 pixels need less depth, and their networks are slow for their size.
        "digits": FinalsSettings(shortlist=8, cells=6, batch_size=32),
    }
)
"""Settings of the finals by the name of the search's preset; None for no finals."""


def requested_finals(
    preset: str,
    settings: FinalsSettings | None,
    shortlist: int | None,
    target: str | None,
) -> FinalsSettings | None:
    """Return settings with the requested changes; None for no finals.

    Args:
        preset: Name of the search's preset, whose settings finals take if `settings` is None.
        settings: Settings of the preset or of the started search; None for no finals.
        shortlist: Requested number of architectures, 2 to 48, or 0 for no finals; None for the
            number in `settings`.
        target: Requested target; None for the target in `settings`.

    Raises:
        SearchError: The number is out of range, the target is unknown, or there is a target but no
            finals.
    """
    if target not in (None, *TARGETS):
        raise SearchError(f"target must be one of {', '.join(TARGETS)}; got {target!r}")
    if shortlist == 0 or (shortlist is None and settings is None):
        if target is not None:
            raise SearchError(
                f"target {target!r} needs finals: give --finals N, such as --finals "
                f"{FinalsSettings.shortlist}"
            )
        return None
    if shortlist is not None and not 2 <= shortlist <= MOST_ENTRANTS:
        raise SearchError(
            f"finals must be the number of architectures in the finals, 2 to {MOST_ENTRANTS}, or 0 "
            f"for none; got {shortlist!r}"
        )
    found = settings or PRESET_FINALS.get(preset) or FinalsSettings()
    return replace(
        found,
        shortlist=found.shortlist if shortlist is None else shortlist,
        target=found.target if target is None else target,
    )
