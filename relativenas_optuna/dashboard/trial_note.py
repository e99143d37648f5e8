"""The note of a trial: its seat, partner, outcome and cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relativenas_optuna._utils.json_data import finite
from relativenas_optuna.dashboard.markdown import large, table
from relativenas_optuna.samplers.seats.claims import Seat, seat_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.samplers.view_records import GenerationView, MemberView, PairView

_COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds"}  # by user attribute


@dataclass(frozen=True)
class Best:
    """The best trials of complete generations.

    Attributes:
        generations: Indices of the generations, from 0 and rising, by number of their best trial. A
            trial whose score is kept can be the best of several generations.
    """

    generations: Mapping[int, tuple[int, ...]]

    @classmethod
    def of(cls, view: SearchView | None, most: int) -> Best:
        """Return the best trials of the newest complete generations.

        Args:
            view: View of the search; None gives no trials.
            most: Largest number of generations.
        """
        found: dict[int, tuple[int, ...]] = {}
        complete = [g for g in view.generations if g.complete] if view else []
        for generation in complete[-most:]:
            if generation.best is not None:
                trial = generation.members[generation.best].counted
                assert trial is not None
                found[trial] = (*found.get(trial, ()), generation.index)
        return cls(found)


def trial_note(trial: FrozenTrial, view: SearchView | None, best: Best) -> str:
    """Return the note of a trial as Markdown.

    Args:
        trial: The trial.
        view: View of the search; None with another sampler.
        best: Best trials of the complete generations.
    """
    seat = seat_of(trial)
    rows: dict[str, str] = {}
    if view is not None and trial.number in view.extras:
        rows["seat"] = "none: an extra trial, asked for while every seat was being scored"
    elif view is None or seat is None or seat.generation >= len(view.generations):
        rows["seat"] = "none: the sampler of this trial gives no seats"
    else:
        rows |= _seated(trial, seat, view)
    rows |= _costs(trial)
    title = _title(best.generations.get(trial.number, ()))
    return "\n\n".join([*title, table(rows)])


def _title(generations: Sequence[int]) -> list[str]:
    if not generations:
        return []
    several = "s" if len(generations) > 1 else ""
    first, last = generations[0], generations[-1]
    which = f"{first}" if first == last else f"{first} to {last}"
    if len(generations) not in (1, last - first + 1):
        which = ", ".join(map(str, generations))
    return [f"**The best of generation{several} {which}**"]


def _seated(trial: FrozenTrial, seat: Seat, view: SearchView) -> dict[str, str]:
    generation = view.generations[seat.generation]
    by_seat = {member.seat: member for member in generation.members}
    own = by_seat[seat.number]
    rows = {
        "generation": f"{seat.generation} (the first is 0)",
        "seat": f"{seat.number}, of member {own.number}",
    }
    if not generation.pairs:
        return rows
    pair, other = generation.pairs[seat.pair], by_seat[seat.partner.number]
    return rows | {
        "pair": f"{seat.pair}",
        "partner": f"{_at(other)}, at seat {other.seat}",
        "outcome": _outcome(trial, own, other, pair, generation, learns=view.preset != "random"),
    }


def _at(member: MemberView) -> str:
    if member.counted is not None:
        kept = ", of an earlier generation," if member.kept else ""
        return f"trial {member.counted}{kept} of member {member.number}"
    words = {"failed": "which always failed", "running": "which is being scored"}
    return f"member {member.number}, {words.get(member.state, 'which is not scored yet')}"


def _outcome(
    trial: FrozenTrial,
    own: MemberView,
    other: MemberView,
    pair: PairView,
    generation: GenerationView,
    *,
    learns: bool,
) -> str:
    if own.counted not in (None, trial.number):
        return f"does not count: trial {own.counted} scored this seat"
    if not trial.state.is_finished():
        return "open: this trial is running"
    if own.counted is None:
        return "none: this trial has no score" + (
            "; its seat counts as slowest" if own.state == "failed" else ""
        )
    if pair.fast is None:
        return "open: the partner is not scored yet"
    won = pair.fast == own.number
    by = ""
    if pair.margin is not None:
        by = f" by {pair.margin:.4g}" if math.isfinite(pair.margin) else " by infinity"
        by = " though both are equal" if pair.margin == 0 else by
    if won:
        return f"**won{by}**: the fast learner" + (", which stays as it is" if learns else "")
    toward = f", which moves toward {_at(other)}" if learns else ""
    return f"**lost{by}**: the slow learner{toward}"


def _costs(trial: FrozenTrial) -> dict[str, str]:
    attributes = trial.user_attrs
    costs = {name: finite(attributes.get(key)) for key, name in _COSTS.items()}
    rows = {name: large(cost) for name, cost in costs.items() if cost is not None}
    version, stale = attributes.get("weights_version"), attributes.get("stale_commits")
    if isinstance(version, int) and finite(version) is not None:
        rows["weight set"] = f"version {version}" + (
            f"; {stale} commits of others came before its own"
            if isinstance(stale, int) and finite(stale)
            else ""
        )
    return rows
