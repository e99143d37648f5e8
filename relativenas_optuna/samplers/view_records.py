"""The parts of a search view: generations, members, pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from relativenas_optuna.samplers.relative_nas.slow_fast import diversity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.migo.distribution import Marginal

    Vector = NDArray[np.float64]

State = Literal["waiting", "running", "scored", "failed"]


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being scored.

    Attributes:
        number: Number of the trial.
        machine: Machine of the worker; None if any process may report the trial's result.
        pid: Process id of the worker.
        gone: True if the worker is known to be gone. The next worker that claims a seat fails the
            trial.
    """

    number: int
    machine: str | None
    pid: int | None
    gone: bool


@dataclass(frozen=True)
class MemberView:
    """A member of a generation, and the trials of its seat.

    Attributes:
        number: From 0 to N - 1; a member keeps it from generation to generation.
        seat: Number of the seat; seats 2k and 2k + 1 are pair k.
        state: "scored" if the seat has a score, "failed" if the objective failed too often,
            "running" while a worker scores it, otherwise "waiting".
        kept: True if the member is a fast learner that keeps its score of the generation before.
        counted: Number of the trial whose score counts; a trial of an earlier generation if the
            score is kept.
        values: The objectives' values of that trial; None without any.
        violation: Sum of the constraint violations of that trial; 0 if it is feasible.
        repeat: True if a trial of this seat scored an architecture that an earlier seat of the
            search had scored.
        trials: Numbers of all trials of this seat.
        complete: Number of complete trials of this seat.
        running: Running trials of this seat.
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
        seats: Numbers of the two seats.
        members: Numbers of the two members.
        fast: Number of the fast learner; None while that is not decided.
        slow: Number of the slow learner; None while that is not decided.
        margin: Difference of the two values, at least 0. None if something else decided: several
            objectives, violated constraints, or trials that are not complete.
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
        index: Number of the generation, from 0.
        complete: True if every seat is scored.
        variables: Names of the variables of a position; none while the search space is not known.
        positions: Positions of the members, `[N, variables]`, read-only; NaN while one is not
            known.
        velocities: Velocities of the members, `[N, variables]`, read-only; zeros if the sampler
            has none.
        members: The members in the order of their numbers.
        pairs: The pairs in the order of their seats; none if the sampler has no pairs.
        best: Number of the best scored member. Feasible members come first; with several
            objectives it is the member with the lowest trial number among those that the fewest
            dominate. None without a complete trial.
    """

    index: int
    complete: bool
    variables: tuple[str, ...]
    positions: Vector
    velocities: Vector
    members: tuple[MemberView, ...]
    pairs: tuple[PairView, ...]
    best: int | None
    _encoding: Encoding
    _marginals: tuple[Marginal, ...]

    derived: ClassVar = ("params", "diversity")

    def __repr__(self) -> str:
        scored = sum(member.state == "scored" for member in self.members)
        return f"<GenerationView {self.index}: {scored} of {len(self.members)} members scored>"

    @cached_property
    def params(self) -> tuple[Mapping[str, Any] | None, ...]:
        """Parameters of each member's position; None while the position is not known."""
        return tuple(
            MappingProxyType(self._encoding.decode(position))
            if np.isfinite(position).all()
            else None
            for position in self.positions
        )

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Distribution of each parameter from which the generation was drawn.

        None if the sampler has no distribution.
        """
        return self._marginals

    @property
    def bounds(self) -> tuple[Vector, Vector]:
        """Lower and upper bounds of the positions, `[variables]` each."""
        return self._encoding.low, self._encoding.high

    @property
    def diversity(self) -> float | None:
        """Mean distance of the positions from their mean, in units of the variables.

        None while a position is not known, see `slow_fast.diversity`.
        """
        if not self.variables or not np.isfinite(self.positions).all():
            return None
        return diversity(self.positions)
