"""What a trial carries of its seat: system attributes, the only state that a search has."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.relative_nas.settings import Settings
from relativenas_optuna.samplers.seats.worker import checked_worker, is_dead, this_worker
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


CLAIM_KEY = "relative_nas:claim"
SPACE_KEY = "relative_nas:space"
LEASE_KEY = "relative_nas:lease"
RESERVED_KEY = "relative_nas:reserved"
_MOST = 2**31  # generations, and seats of one
_NAMED = 3  # trials in a warning
_PART = 30_000  # characters; as JSON at most twice as many, and MySQL holds 65,535 an attribute


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

    Attributes:
        seat: The seat that the trial scores; `None` for an extra trial, which holds none.
        worker: See `worker.this_worker`; empty where the trial is anybody's, to be told or run by
            who takes it.
        settings: Those of the whole search. They are written while no lower-numbered claim that
            carries them is in sight; the lowest-numbered ones count.
        signed: When the claim was made, in seconds since 1970, where leases are needed.
        proposed: The fingerprint of the parameters that are proposed at the seat, and of the scores
            that they rest on; `None` where nobody has to know.
    """

    seat: Seat | None
    worker: dict[str, Any]
    settings: Settings | None = None
    signed: float | None = None
    proposed: str | None = None

    def attributes(self, retries: int = 0) -> dict[str, Any]:
        """The system attributes that say it, in the order in which they are to be written.

        `retries` are those that Optuna counted when the claim was made.
        """
        data: dict[str, Any] = (
            {"extra": True}
            if self.seat is None
            else {"generation": self.seat.generation, "seat": self.seat.number}
        )
        data["worker"] = self.worker
        attributes = {}
        if self.settings is not None:
            data["settings"] = settings = self.settings.to_json()
            if settings["space"]:
                # Before the claim, so that a claim never lacks a part of its space.
                text = json.dumps(settings["space"])
                parts = [text[at : at + _PART] for at in range(0, len(text), _PART)]
                attributes = {f"{SPACE_KEY}:{n}": part for n, part in enumerate(parts)}
                settings["space"] = len(parts)
        if self.signed is not None:
            data["signed"] = self.signed
        if self.proposed is not None:
            data["proposed"] = self.proposed
        if retries:
            data["retries"] = retries
        return attributes | {CLAIM_KEY: json.dumps(data)}

    def write(self, storage: BaseStorage, trial_id: int, retries: int = 0) -> None:
        """Store the claim with its trial."""
        for key, value in self.attributes(retries).items():
            storage.set_trial_system_attr(trial_id, key, value)

    @classmethod
    def read(cls, system_attrs: Mapping[str, Any]) -> Claim | None:
        """The claim of a trial with these system attributes, if it has one that can be read.

        Anybody who may write to the study may write anything there. What this sampler does not
        write counts as no claim; `warn_of_junk` says so.
        """
        if CLAIM_KEY not in system_attrs:
            return None
        with suppress(Exception):  # any type: distributions are read by Optuna
            return cls._read(json.loads(system_attrs[CLAIM_KEY]), system_attrs)
        return None

    @classmethod
    def _read(cls, data: dict[str, Any], system_attrs: Mapping[str, Any] | None) -> Claim:
        """Return the claim that `data` says, without its search space if there are no attributes.

        Raises:
            Exception: It is no claim, of any type.
        """
        settings = data.get("settings")
        if settings is not None and settings["space"]:
            parts: list[str] = ["null"]
            if system_attrs is not None:
                parts = [system_attrs[f"{SPACE_KEY}:{n}"] for n in range(settings["space"])]
            settings = settings | {"space": json.loads("".join(parts))}
        signed, proposed, retries = data.get("signed"), data.get("proposed"), data.get("retries", 0)
        if not isinstance(signed, float | int | None) or not isinstance(proposed, str | None):
            raise TypeError("a claim is signed with a time and proposes a fingerprint")
        inherited = system_attrs is not None and retries_of(system_attrs) != retries
        worker = checked_worker(data["worker"])
        return cls(
            seat=_seat_in(data),
            worker={} if inherited else worker,
            settings=None if settings is None else Settings.from_json(settings),
            signed=signed,
            proposed=proposed,
        )


def claim_data(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial's claim says, as JSON data; empty if there is no claim that can be read.

    It is stored as text, so that the rows of `study.trials_dataframe()` can be hashed.
    """
    try:
        data = json.loads(system_attrs.get(CLAIM_KEY, "{}"))
    except (RecursionError, TypeError, ValueError):
        return {}  # a study's attributes are open to anyone
    return data if isinstance(data, dict) else {}


def _seat_in(data: Mapping[str, Any]) -> Seat | None:
    """Return the seat that a claim's data name; `None` for an extra trial."""
    if data.get("extra") is True:
        return None
    return _checked_seat(data["generation"], data["seat"])


def reservation(seats: Sequence[Seat]) -> dict[str, Any]:
    """The system attribute of a trial whose maker is about to make others for `seats`."""
    places = [[seat.generation, seat.number] for seat in seats]
    return {RESERVED_KEY: json.dumps({"seats": places, "worker": this_worker()})}


def reserved_seats(system_attrs: Mapping[str, Any]) -> set[Seat]:
    """The seats for which an unfinished trial's maker, which is not dead, is to make others."""
    return _reserved(system_attrs) or set()


def _reserved(system_attrs: Mapping[str, Any]) -> set[Seat] | None:
    """Return the seats as `reserved_seats` does, or None if the attribute cannot be read."""
    if system_attrs.get(RESERVED_KEY) is None:  # taken back, or never made
        return set()
    with suppress(*UNREADABLE):
        data = json.loads(system_attrs[RESERVED_KEY])
        worker = checked_worker(data["worker"])
        seats = {_checked_seat(*place) for place in data["seats"]}
        return set() if is_dead(worker) else seats
    return None


def warn_of_junk(read: Iterable[tuple[FrozenTrial, Claim | None]]) -> None:
    """Warn of the trials whose claim or reservation is not what this sampler writes.

    Args:
        read: Trials, and what `Claim.read` gave of each.
    """
    numbers = [
        trial.number
        for trial, claim in read
        if (CLAIM_KEY in trial.system_attrs and claim is None)
        or _reserved(trial.system_attrs) is None
    ]
    if numbers:
        shown = ", ".join(map(str, numbers[:_NAMED])) + (", ..." if len(numbers) > _NAMED else "")
        warnings.warn(
            f"{len(numbers)} of the study's trials (number {shown}) have a claim or a reservation "
            f"of seats that RelativeNASSampler did not write; it is ignored",
            stacklevel=3,
        )


def _checked_seat(generation: object, number: object) -> Seat:
    for value in (generation, number):
        if type(value) is not int or not 0 <= value < _MOST:
            raise ValueError(f"a seat must be two whole numbers, got {generation!r} and {number!r}")
    return Seat(generation, number)  # type: ignore[arg-type]


def seats_named(key: str, text: str) -> list[Seat]:
    """The seats that a system attribute, as the database has it, claims or reserves for a trial."""
    with suppress(Exception):  # see `Claim.read`
        value = json.loads(text)
        if key != CLAIM_KEY:
            return list(reserved_seats({key: value}))
        seat = Claim._read(json.loads(value), None).seat
        return [] if seat is None else [seat]
    return []


def retries_of(system_attrs: Mapping[str, Any]) -> int:
    """How often a trial was begun anew as a copy, attributes and all, of one that went stale."""
    history = system_attrs.get("retry_history")
    return len(history) if isinstance(history, list) else 0


def renew(storage: BaseStorage, trial_id: int, signed: float) -> None:
    """Say that a trial's worker lives, `signed` seconds after 1970 began.

    Raises:
        UpdateFinishedTrialError: The trial has ended.
    """
    storage.set_trial_system_attr(trial_id, LEASE_KEY, signed)


def signs_of_life(system_attrs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what a trial's worker wrote as signs of life: with its claim, and since then.

    Each is None if there is none. A new sign differs from the one before; that is all it says.
    """
    return claim_data(system_attrs).get("signed"), system_attrs.get(LEASE_KEY)


def worker_of(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Who runs a trial that has a seat; empty under another sampler, and where it is anybody's."""
    claim = Claim.read(system_attrs)
    return {} if claim is None else claim.worker


def seat_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Seat | None:
    """The seat that a trial scores; `None` for an extra trial and under another sampler."""
    attrs = (
        trial.storage.get_trial_system_attrs(trial._trial_id)
        if hasattr(trial, "storage")
        else trial.system_attrs
    )
    claim = Claim.read(attrs)
    return None if claim is None else claim.seat
