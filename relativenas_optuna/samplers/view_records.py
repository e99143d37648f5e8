"""What a view of a search consists of: generations, members, pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from relativenas_optuna.samplers.relative_nas.slow_fast import diversity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding

    Vector = NDArray[np.float64]

State = Literal["waiting", "running", "scored", "failed"]


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being scored.

    Attributes:
        number: The trial's number.
        machine: Of its worker; `None` where the trial is anybody's to tell.
        pid: Of its worker.
        gone: Whether its worker is known to be gone; the next one that claims a seat fails it.
    """

    number: int
    machine: str | None
    pid: int | None
    gone: bool


@dataclass(frozen=True)
class MemberView:
    """A member of a generation, and what was made of its seat.

    Attributes:
        number: From 0 to N - 1; a member keeps it from generation to generation.
        seat: Seats 2k and 2k + 1 are pair k.
        state: "scored" where a score counts, "failed" where the objective failed too often,
            "running" while a worker is at it, otherwise "waiting".
        kept: Whether it is a fast learner that keeps the score of the generation before.
        counted: Number of the trial whose score counts; where it is kept, of an earlier generation.
        values: The objectives' values there; `None` without any.
        violation: By how much the constraints are violated there in sum; 0 where it is feasible.
        repeat: Whether a trial of this seat scored an architecture that an earlier seat of the
            search had scored.
        trials: Numbers of all trials of this seat.
        complete: How many of them are complete.
        running: Those that run.
    """

    number: int
    seat: int
    state: State
    kept: bool
    counted: int | None
    values: tuple[float, ...] | None
    violation: float
    repeat: bool
    trials: tuple[int, ...]
    complete: int
    running: tuple[RunningTrial, ...]


@dataclass(frozen=True)
class PairView:
    """A pair of a generation.

    Attributes:
        seats: The first and the second one.
        members: The members that sit there.
        fast: The member that is the fast learner; `None` while that is open.
        slow: The member that is the slow learner.
        margin: By how much the fast one's value is better, at least 0. `None` where that is not
            what decided: with several objectives, violated constraints, or trials that are not
            complete.
    """

    seats: tuple[int, int]
    members: tuple[int, int]
    fast: int | None
    slow: int | None
    margin: float | None


@dataclass(frozen=True, eq=False)
class GenerationView:
    """One generation of N members.

    Attributes:
        index: From 0.
        complete: Whether every seat is scored.
        variables: Names of the parameters that positions have variables for; none while the search
            space is not known.
        positions: `[N, variables]`, NaN while a member's position is not known; read-only.
        velocities: `[N, variables]`, read-only.
        members: In the order of their numbers.
        pairs: In the order of their seats.
        best: The best scored member, feasible ones first; with several objectives the lowest
            trial number among those that the fewest dominate. `None` without a complete trial.
    """

    index: int
    complete: bool
    variables: tuple[str, ...]
    positions: Vector
    velocities: Vector
    members: tuple[MemberView, ...]
    pairs: tuple[PairView, ...]
    best: int | None
    _encoding: Encoding = field(repr=False)

    derived: ClassVar = ("params", "diversity")

    @cached_property
    def params(self) -> tuple[Mapping[str, Any] | None, ...]:
        """The parameters that each member's position decodes to; `None` while it is not known."""
        return tuple(
            MappingProxyType(self._encoding.decode(position))
            if np.isfinite(position).all()
            else None
            for position in self.positions
        )

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lower and upper bounds of the positions, `[variables]` each."""
        return self._encoding.low, self._encoding.high

    @property
    def diversity(self) -> float | None:
        """Mean distance to the population's mean, in units of the variables; see `slow_fast`.

        `None` while a position is not known.
        """
        if not self.variables or not np.isfinite(self.positions).all():
            return None
        return diversity(self.positions)
