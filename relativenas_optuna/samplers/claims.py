"""What a trial carries of its seat: system attributes, the only state that a search has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.settings import Settings
from relativenas_optuna.samplers.worker import this_worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import optuna
    from optuna.storages import BaseStorage

ARRIVAL_KEY = "relative_nas:arrival"
CLAIM_KEY = "relative_nas:claim"
SPACE_KEY = "relative_nas:space"
INTERRUPTED_KEY = "relative_nas:interrupted"
_PART = 30_000  # characters; MySQL holds 65,535 bytes an attribute


@dataclass(frozen=True, order=True)
class Seat:
    """A seat of a generation: seats 2k and 2k + 1 are pair k, the first and the second of it."""

    generation: int
    number: int

    @property
    def pair(self) -> int:
        """The pair's number in its generation."""
        return self.number // 2

    @property
    def partner(self) -> Seat:
        """The other seat of the pair."""
        return Seat(self.generation, self.number ^ 1)


@dataclass(frozen=True)
class Claim:
    """A trial's claim on a seat, and who runs it.

    `settings` are those of the whole search. They are written while no lower-numbered claim that
    carries them is in sight; the lowest-numbered ones count.
    """

    seat: Seat
    worker: dict[str, Any]
    settings: Settings | None = None

    def write(self, storage: BaseStorage, trial_id: int) -> None:
        """Store the claim with its trial."""
        data: dict[str, Any] = {
            "generation": self.seat.generation,
            "seat": self.seat.number,
            "worker": self.worker,
        }
        if self.settings is not None:
            data["settings"] = settings = self.settings.to_json()
            if settings["space"]:
                # Before the claim, so that a claim never lacks a part of its space.
                parts = list(_parts(settings["space"]))
                for number, part in enumerate(parts):
                    storage.set_trial_system_attr(trial_id, f"{SPACE_KEY}:{number}", part)
                settings["space"] = len(parts)
        storage.set_trial_system_attr(trial_id, CLAIM_KEY, data)

    @classmethod
    def read(cls, system_attrs: Mapping[str, Any]) -> Claim | None:
        """The claim of a trial with these system attributes, if it has one."""
        data = system_attrs.get(CLAIM_KEY)
        if data is None:
            return None
        settings = data.get("settings")
        if settings is not None and settings["space"]:
            parts = [system_attrs[f"{SPACE_KEY}:{n}"] for n in range(settings["space"])]
            settings = settings | {"space": list(chain.from_iterable(parts))}
        return cls(
            seat=Seat(data["generation"], data["seat"]),
            worker=data["worker"],
            settings=None if settings is None else Settings.from_json(settings),
        )


def _parts(space: list[list[str]]) -> Iterator[list[list[str]]]:
    """A search space in pieces that every storage takes as an attribute."""
    part: list[list[str]] = []
    size = 0
    for entry in space:
        length = len(json.dumps(entry))
        if part and size + length > _PART:
            yield part
            part, size = [], 0
        part.append(entry)
        size += length
    yield part


def announce(storage: BaseStorage, trial_id: int) -> None:
    """Mark a trial as one that is about to claim a seat."""
    storage.set_trial_system_attr(trial_id, ARRIVAL_KEY, this_worker())


def is_arriving(system_attrs: Mapping[str, Any]) -> bool:
    """Whether a trial is about to claim a seat, and has none yet."""
    return ARRIVAL_KEY in system_attrs and CLAIM_KEY not in system_attrs


def worker_of(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Who runs a trial that is at a seat, or about to claim one; empty under another sampler."""
    claim = Claim.read(system_attrs)
    worker: dict[str, Any] = system_attrs.get(ARRIVAL_KEY, {}) if claim is None else claim.worker
    return worker


def seat_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Seat | None:
    """The seat that a trial scores; `None` under another sampler."""
    attrs = (
        trial.storage.get_trial_system_attrs(trial._trial_id)
        if hasattr(trial, "storage")
        else trial.system_attrs
    )
    claim = Claim.read(attrs)
    return None if claim is None else claim.seat


def mark_interrupted(storage: BaseStorage, trial_id: int) -> None:
    """Say that a trial ends for a reason of its worker's: its failure is not the objective's."""
    storage.set_trial_system_attr(trial_id, INTERRUPTED_KEY, True)
