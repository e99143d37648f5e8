"""Plan trainings with equal wall time, in which the time of the search counts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from relativenas_optuna._utils.checked_fields import check_fields, check_value, from_data
from relativenas_optuna._utils.durations import short_time
from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.speed_record import Seconds
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from relativenas_optuna.evaluation.comparison.contestants import Contestant
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

FILE = "time.json"


@dataclass(frozen=True, kw_only=True)
class EqualTime:
    """The wall time of all contestants, and the measured speed of their trainings.

    Attributes:
        seconds: Wall time of each contestant in seconds, the time of a search included.
        search_seconds: Wall time of the search of the found architecture, in seconds.
        found: Text of the found architecture.
        epochs: Measured seconds of an epoch of each architecture, by its text.

    Raises:
        ValueError: A value is out of range.
    """

    seconds: Seconds
    search_seconds: Seconds
    found: str
    epochs: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        for text, seconds in self.epochs.items():
            check_value(f"seconds of an epoch of {text}", Seconds, seconds)

    def write(self, folder: Path) -> None:
        """Write the plan into the folder of a comparison, whole or not at all."""
        write_whole(folder / FILE, f"{json.dumps(vars(self), indent=1)}\n".encode())

    @classmethod
    def read(cls, folder: Path) -> EqualTime | None:
        """Return the plan in a folder; None if there is none.

        Raises:
            SearchError: The file is not what `write` writes.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            return from_data(cls, json.loads(path.read_bytes()))
        except UNREADABLE as error:
            raise SearchError(
                f"file {str(path)!r} is damaged ({error}): delete the folder to start again, or "
                f"use another --out"
            ) from error

    def training_seconds(self, text: str) -> float:
        """Return the time of the training of an architecture in seconds, given its text."""
        return self.seconds - (self.search_seconds if text == self.found else 0.0)

    def with_contestants(
        self, everyone: Iterable[Contestant], epoch_seconds: Callable[[AnyGenotype], float]
    ) -> tuple[EqualTime, list[Contestant], list[Contestant]]:
        """Measure an epoch of each contestant, and leave out optional ones that are too slow.

        A contestant needs the time of at least one epoch.

        Args:
            everyone: The contestants.
            epoch_seconds: Function that measures the duration of an epoch in seconds. Architectures
                that were measured before are not measured again.

        Returns:
            The plan, the contestants that take part, and those that do not.

        Raises:
            SearchError: The time is too short for a contestant that is not optional.
        """
        epochs, part, left_out = dict(self.epochs), [], []
        for one in everyone:
            text = one.genotype.to_text()
            if text not in epochs:
                epochs[text] = epoch_seconds(one.genotype)
            if self.training_seconds(text) >= epochs[text]:
                part.append(one)
            elif one.optional:
                left_out.append(one)
            else:
                before = self.seconds - self.training_seconds(text)
                raise _too_short(self.seconds, one.name, before, epochs[text])
        return replace(self, epochs=epochs), part, left_out


def planned_time(
    folder: Path,
    *,
    found: AnyGenotype,
    search_seconds: float | None,
    seconds: float | None,
    training_seconds: Callable[[], float],
    study_name: str,
) -> EqualTime:
    """Return the plan in a folder, or a new one without contestants.

    Args:
        folder: Folder of the comparison.
        found: Best architecture of the search.
        search_seconds: Wall time of the search; None if it is not known.
        seconds: Requested time of each contestant; None for that of the folder, or for the time of
            the search and the training of the found architecture.
        training_seconds: Function that estimates the duration of this training.
        study_name: Name of the study, for error messages.

    Raises:
        SearchError: The folder holds a comparison of another time or another search, or the time
            of the search is not known.
    """
    if search_seconds is None:
        raise SearchError(
            f"study {study_name!r} does not say how long its search took, which --against needs: "
            f"take another --study, searched by `relativenas search`"
        )
    before = EqualTime.read(folder)
    if before is None:
        whole = search_seconds + training_seconds() if seconds is None else seconds
        return EqualTime(seconds=whole, search_seconds=search_seconds, found=found.to_text())
    if seconds is not None and seconds != before.seconds:
        raise SearchError(
            f"time must be {short_time(before.seconds)} to continue the comparison in "
            f"{str(folder)!r}; got {short_time(seconds)}: leave it out, or use another --out"
        )
    if (before.search_seconds, before.found) != (search_seconds, found.to_text()):
        raise SearchError(
            f"the search of study {study_name!r} went on after the comparison in {str(folder)!r} "
            f"began: use another --out"
        )
    return before


def _too_short(seconds: float, name: str, before: float, epoch: float) -> SearchError:
    parts = f"an epoch of {name} takes {short_time(epoch)}"
    if before:
        parts = f"the search took {short_time(before)} and {parts}"
    way = "" if before else ", or leave it out"
    return SearchError(
        f"time must be at least {short_time(before + epoch)}, since {parts}; got "
        f"{short_time(seconds)}: give more --time{way}"
    )
