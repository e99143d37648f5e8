"""Build the parts of a search view from a study's trials."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.populations import population_class, start_population
from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
from relativenas_optuna.samplers.seats.claimed_population import checked_claim
from relativenas_optuna.samplers.seats.claims import Seat, warn_of_junk, worker_of
from relativenas_optuna.samplers.seats.lease import is_gone
from relativenas_optuna.samplers.seats.trial_reader import TrialReader
from relativenas_optuna.samplers.trial_losses import best_first, violation
from relativenas_optuna.samplers.view_records import (
    GenerationView,
    MemberView,
    PairView,
    RunningTrial,
    State,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.migo.distribution import Marginal
    from relativenas_optuna.samplers.seats.population import Generation, Population
    from relativenas_optuna.samplers.seats.seat_score import SeatScore


class SearchRecord(NamedTuple):
    """A study's search as it was read.

    Attributes:
        population: The generations, replayed.
        generations: Views of the generations.
        extras: Numbers of the extra trials.
        best: Best trial of the newest generation that has a complete trial; None without any.
    """

    population: Population
    generations: tuple[GenerationView, ...]
    extras: tuple[int, ...]
    best: FrozenTrial | None


def read_search(study: optuna.Study) -> SearchRecord | None:
    """Read a study's search; None if no sampler that this process knows started one."""
    reader = TrialReader(study)
    reader.cut(0)
    trials = list(reader.all())
    claims = [(trial, checked_claim(trial)) for trial in trials]
    warn_of_junk(claims)
    carriers = (claim for _, claim in claims if claim is not None and claim.settings is not None)
    first = next(carriers, None)
    if first is None or population_class(first.sampler) is None:
        return None
    population = start_population(first, study.directions, reader, study.study_name)
    claimed = [
        (trial, claim.seat)
        for trial, claim in claims
        if claim is not None and claim.sampler == first.sampler
    ]
    at_seat: dict[Seat, list[FrozenTrial]] = defaultdict(list)
    for trial, seat in claimed:
        if seat is not None:
            at_seat[seat].append(trial)
            if trial.state.is_finished():
                population.add(trial, seat)
    population.advance()
    builder = _ViewBuilder(at_seat, population)
    extras = tuple(trial.number for trial, seat in claimed if seat is None)
    generations = tuple(map(builder.generation, population.generations))
    scored = [generation for generation in generations if generation.best is not None]
    best = scored[-1].members[scored[-1].best or 0].counted if scored else None
    return SearchRecord(
        population=population,
        generations=generations,
        extras=extras,
        best=next((trial for trial in trials if trial.number == best), None),
    )


class _ViewBuilder:
    """Builder of the views of generations, in order since a repeat refers to earlier ones."""

    def __init__(self, at_seat: dict[Seat, list[FrozenTrial]], population: Population) -> None:
        self._at_seat = at_seat
        self._population = population
        self._directions = population.directions
        self._architectures: set[str] = set()

    def generation(self, generation: Generation) -> GenerationView:
        """Return the view of the next generation."""
        paired = generation if isinstance(generation, PairedGeneration) else None
        positions = generation.positions
        velocities = np.zeros_like(positions) if paired is None else paired.velocities
        for array in (positions, velocities):
            array.flags.writeable = False
        by_seat = [self._member(generation, seat) for seat in range(len(generation.seat_scores))]
        encoding = generation.encoding or Encoding({})
        pairs = () if paired is None else (self._pair(paired, k) for k in range(len(paired.pairs)))
        return GenerationView(
            index=generation.index,
            complete=generation.complete,
            variables=tuple(encoding.space),
            positions=positions,
            velocities=velocities,
            members=tuple(sorted(by_seat, key=lambda member: member.number)),
            pairs=tuple(pairs),
            best=self._best(generation),
            _encoding=encoding,
            _marginals=self._marginals(generation.index),
        )

    def _marginals(self, index: int) -> tuple[Marginal, ...]:
        population = self._population
        if not isinstance(population, DistributionPopulation):
            return ()
        return tuple(population.marginals(index))

    def _member(self, generation: Generation, seat: int) -> MemberView:
        seat_score, number = generation.seat_scores[seat], generation.member(seat)
        kept = isinstance(generation, PairedGeneration) and bool(generation.kept[number])
        trial = seat_score.counted
        trials = self._at_seat.get(Seat(generation.index, seat), [])
        running = tuple(_running(t) for t in trials if t.state == TrialState.RUNNING)
        return MemberView(
            number=number,
            seat=seat,
            state=_state(seat_score, running),
            kept=kept,
            counted=None if trial is None else trial.number,
            values=None if trial is None or trial.values is None else tuple(trial.values),
            violation=0.0 if trial is None else violation(trial),
            repeat=not kept and self._is_repeat(seat_score),
            trials=tuple(t.number for t in trials),
            complete=sum(t.state == TrialState.COMPLETE for t in trials),
            running=running,
        )

    def _is_repeat(self, seat_score: SeatScore) -> bool:
        trial = seat_score.scored_trial
        if trial is None:
            return False
        # Compared as text: a choice may be NaN, which is not equal to itself.
        architecture = repr(sorted(trial.params.items()))
        there = architecture in self._architectures
        self._architectures.add(architecture)
        return there and seat_score.counted is not None

    def _pair(self, generation: PairedGeneration, pair: int) -> PairView:
        first, second = generation.pairs[pair].tolist()
        seats = 2 * pair, 2 * pair + 1
        if not generation.learned[pair] or generation.encoding is None:
            return PairView(seats, (first, second), None, None, None)
        first_is_fast = bool(generation.first_fast[pair])
        return PairView(
            seats=seats,
            members=(first, second),
            fast=first if first_is_fast else second,
            slow=second if first_is_fast else first,
            margin=self._margin(*(generation.seat_scores[seat].counted for seat in seats)),
        )

    def _margin(self, one: FrozenTrial | None, other: FrozenTrial | None) -> float | None:
        trials = [trial for trial in (one, other) if trial is not None and _is_scored(trial)]
        if len(trials) < 2 or len(self._directions) > 1 or any(map(violation, trials)):
            return None
        a, b = (trial.values[0] for trial in trials)
        return 0.0 if a == b else abs(a - b)

    def _best(self, generation: Generation) -> int | None:
        members = {
            seat_score.counted.number: generation.member(seat)
            for seat, seat_score in enumerate(generation.seat_scores)
            if seat_score.counted is not None and _is_scored(seat_score.counted)
        }
        trials = [t.counted for t in generation.seat_scores if t.counted and _is_scored(t.counted)]
        if not trials:
            return None
        if len(self._directions) > 1:
            return members[best_first(trials, self._directions)[0].number]
        sign = -1.0 if self._directions[0] == StudyDirection.MAXIMIZE else 1.0
        best = min(trials, key=lambda t: (violation(t), sign * t.values[0], t.number))
        return members[best.number]


def _is_scored(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE


def _state(seat_score: SeatScore, running: tuple[RunningTrial, ...]) -> State:
    if seat_score.scored:
        return "failed" if seat_score.counted is None else "scored"
    return "waiting" if all(trial.gone for trial in running) else "running"


def _running(trial: FrozenTrial) -> RunningTrial:
    worker = worker_of(trial.system_attrs)
    return RunningTrial(trial.number, worker.get("machine"), worker.get("pid"), is_gone(trial))
