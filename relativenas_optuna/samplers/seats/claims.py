"""Claims of trials on seats, stored as system attributes: the only state that a search has."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.seats.worker import checked_worker, is_dead, this_worker
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

CLAIM_KEY = "population:claim"
SETTINGS_KEY = "population:settings"
LEASE_KEY = "population:lease"
RESERVED_KEY = "population:reserved"
_MOST = 2**31  # generations, and seats of one
_NAMED = 3  # trials in a warning
_PART = 30_000  # characters; as JSON at most twice as many, and MySQL holds 65,535 an attribute


@dataclass(frozen=True, order=True)
class Seat:
    """One place of one generation, which one trial scores.

    Attributes:
        generation: Number of the generation, from 0.
        number: Number of the seat in its generation, from 0.
    """

    generation: int
    number: int

    @property
    def pair(self) -> int:
        """Number of the pair in its generation, if `Population.has_pairs`."""
        return self.number // 2

    @property
    def partner(self) -> Seat:
        """The other seat of the pair, if `Population.has_pairs`."""
        return Seat(self.generation, self.number ^ 1)


@dataclass(frozen=True)
class Claim:
    """A trial's claim on a seat, and the worker that runs the trial.

    Attributes:
        seat: The seat that the trial scores; None for an extra trial, which has no seat.
        worker: The process that runs the trial, see `worker.this_worker`; empty if any process may
            run the trial or report its result.
        sampler: Name of the sampler's class, by which `population_class` finds its population.
        settings: The settings of the whole search as JSON data; None if a trial with a lower
            number carries them. Those of the lowest number count.
        signed: Time of the claim in seconds since 1970; None on storages without leases.
        proposed: Fingerprint of the parameters proposed at the seat and of the scores that they
            depend on; None if the sampler needs none.
    """

    seat: Seat | None
    worker: dict[str, Any]
    sampler: str
    settings: dict[str, Any] | None = None
    signed: float | None = None
    proposed: str | None = None

    def attributes(self, retries: int = 0) -> dict[str, Any]:
        """Return the system attributes that store the claim, in the order to write them.

        Args:
            retries: Number of times that Optuna had retried the trial before the claim.
        """
        data: dict[str, Any] = (
            {"extra": True}
            if self.seat is None
            else {"generation": self.seat.generation, "seat": self.seat.number}
        )
        data |= {"worker": self.worker, "sampler": self.sampler}
        attributes = {}
        if self.settings is not None:
            # Before the claim, so that a claim never lacks a part of its settings.
            text = json.dumps(self.settings)
            parts = [text[at : at + _PART] for at in range(0, len(text), _PART)]
            attributes = {f"{SETTINGS_KEY}:{n}": part for n, part in enumerate(parts)}
            data["settings"] = len(parts)
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
        """Return the claim stored in a trial's system attributes; None if none can be read.

        Anybody who may write to the study may write anything there. Unreadable data count as no
        claim; `warn_of_junk` reports them. The settings are not checked, see `checked_claim`.
        """
        if CLAIM_KEY not in system_attrs:
            return None
        with suppress(*UNREADABLE):
            return cls._read(json.loads(system_attrs[CLAIM_KEY]), system_attrs)
        return None

    @classmethod
    def _read(cls, data: dict[str, Any], system_attrs: Mapping[str, Any] | None) -> Claim:
        """Return the claim in `data`, without its settings if `system_attrs` is None.

        Raises:
            Exception: One of `stored_json.UNREADABLE`: the data are not a claim.
        """
        parts = data.get("settings")
        settings = None
        if parts is not None and type(parts) is not int:
            raise TypeError("the settings of a claim are stored in a number of parts")
        if parts is not None and system_attrs is not None:
            settings = json.loads(
                "".join(system_attrs[f"{SETTINGS_KEY}:{n}"] for n in range(parts))
            )
            if not isinstance(settings, dict):
                raise TypeError("the settings of a claim must be a JSON object")
        signed, proposed, retries = data.get("signed"), data.get("proposed"), data.get("retries", 0)
        if not isinstance(signed, float | int | None) or not isinstance(proposed, str | None):
            raise TypeError("a claim is signed with a time and proposes a fingerprint")
        if not (isinstance(data["sampler"], str) and data["sampler"].isidentifier()):
            raise TypeError("a claim must name the class of its sampler")
        inherited = system_attrs is not None and retries_of(system_attrs) != retries
        worker = checked_worker(data["worker"])
        return cls(
            seat=_seat_in(data),
            worker={} if inherited else worker,
            sampler=data["sampler"],
            settings=settings,
            signed=signed,
            proposed=proposed,
        )


def claim_data(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON data of a trial's claim; empty if there is none that can be read.

    Claims are stored as text, so that the rows of `study.trials_dataframe()` can be hashed.
    """
    try:
        data = json.loads(system_attrs.get(CLAIM_KEY, "{}"))
    except (RecursionError, TypeError, ValueError):
        return {}  # a study's attributes are open to anyone
    return data if isinstance(data, dict) else {}


def sampler_named(system_attrs: Mapping[str, Any]) -> str | None:
    """Return the name of the sampler's class on a trial's claim; None without one."""
    name = claim_data(system_attrs).get("sampler")
    return name if isinstance(name, str) and name.isidentifier() else None


def _seat_in(data: Mapping[str, Any]) -> Seat | None:
    """Return the seat in a claim's data; None for an extra trial."""
    if data.get("extra") is True:
        return None
    return _checked_seat(data["generation"], data["seat"])


def reservation(seats: Sequence[Seat]) -> dict[str, Any]:
    """Return the system attribute that reserves seats for further trials of the same process."""
    places = [[seat.generation, seat.number] for seat in seats]
    return {RESERVED_KEY: json.dumps({"seats": places, "worker": this_worker()})}


def reserved_seats(system_attrs: Mapping[str, Any]) -> set[Seat]:
    """Return the seats that an unfinished trial reserves; none if its process is gone."""
    return _reserved(system_attrs) or set()


def _reserved(system_attrs: Mapping[str, Any]) -> set[Seat] | None:
    """Return the seats as `reserved_seats` does, or None if the attribute cannot be read."""
    if system_attrs.get(RESERVED_KEY) is None:  # never made, or withdrawn
        return set()
    with suppress(*UNREADABLE):
        data = json.loads(system_attrs[RESERVED_KEY])
        worker = checked_worker(data["worker"])
        seats = {_checked_seat(*place) for place in data["seats"]}
        return set() if is_dead(worker) else seats
    return None


def warn_of_junk(read: Iterable[tuple[FrozenTrial, Claim | None]]) -> None:
    """Warn of the trials whose claim or reservation cannot be read.

    Args:
        read: Trials, each with its claim; None if it has none that can be read.
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
            f"of seats that no sampler of this kind wrote; it is ignored",
            stacklevel=3,
        )


def _checked_seat(generation: object, number: object) -> Seat:
    for value in (generation, number):
        if type(value) is not int or not 0 <= value < _MOST:
            raise ValueError(f"a seat must be two whole numbers, got {generation!r} and {number!r}")
    return Seat(generation, number)  # type: ignore[arg-type]


def seats_named(key: str, text: str) -> list[Seat]:
    """Return the seats that a system attribute claims or reserves.

    Args:
        key: Name of the attribute.
        text: Value of the attribute as the database stores it.
    """
    with suppress(*UNREADABLE):
        value = json.loads(text)
        if key != CLAIM_KEY:
            return list(reserved_seats({key: value}))
        seat = Claim._read(json.loads(value), None).seat
        return [] if seat is None else [seat]
    return []


def retries_of(system_attrs: Mapping[str, Any]) -> int:
    """Return how often Optuna retried a trial: each retry copies all attributes to a new trial."""
    history = system_attrs.get("retry_history")
    return len(history) if isinstance(history, list) else 0


def renew(storage: BaseStorage, trial_id: int, signed: float) -> None:
    """Write a sign of life of a trial's worker.

    Args:
        storage: The storage of the trial.
        trial_id: Id of the trial.
        signed: The present time in seconds since 1970.

    Raises:
        UpdateFinishedTrialError: The trial has ended.
    """
    storage.set_trial_system_attr(trial_id, LEASE_KEY, signed)


def signs_of_life(system_attrs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the signs of life of a trial's worker: that of its claim, and the latest one.

    Each is None if there is none. A new sign only differs from the one before it.
    """
    return claim_data(system_attrs).get("signed"), system_attrs.get(LEASE_KEY)


def worker_of(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the worker on a trial's claim; empty without a claim or if any process may run it."""
    claim = Claim.read(system_attrs)
    return {} if claim is None else claim.worker


def claim_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Claim | None:
    """Return the claim of a trial; None if it has none that can be read."""
    attrs = (
        trial.storage.get_trial_system_attrs(trial._trial_id)
        if hasattr(trial, "storage")
        else trial.system_attrs
    )
    return Claim.read(attrs)


def seat_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> Seat | None:
    """Return the seat that a trial scores.

    Returns:
        None for an extra trial, and for a trial of a sampler without seats.
    """
    claim = claim_of(trial)
    return None if claim is None else claim.seat
