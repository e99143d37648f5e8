"""The seat rules written a second time, from the raw attributes of a study's trials.

They take the seats, the fast learners and the re-evaluations from the population under test, which
other checks compare with an undisturbed search.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.seats.follower import STILLBORN_AGE
from relativenas_optuna.samplers.seats.replay import ARRIVAL_AGE
from tests.helpers.samplers.observer import CLAIM, RESERVED, Observer, Place, claim_of, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.samplers.seats import population as seats


@dataclass
class SeatRules:
    """The seat rules for a study at one moment.

    Args:
        trials: All trials of the study.
        failures: Number of failures of the objective itself at each seat.
        population: The population under test.
        observer: The machine whose worker asks.
        size: Members per generation.
        preset: Preset of the sampler, see `Scenario`.
    """

    trials: Sequence[FrozenTrial]
    failures: dict[Place, int]
    population: seats.Population | None
    observer: Observer
    size: int
    preset: str

    def __post_init__(self) -> None:
        self._counted = {
            place_of(trial)
            for trial in self.trials
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        }
        self._ready: dict[tuple[int, int], bool] = {}

    @property
    def _paired(self) -> PairedPopulation:
        assert isinstance(self.population, PairedPopulation)
        return self.population

    @property
    def objectives(self) -> int:
        """Number of objectives of the study."""
        return max((len(trial.values) for trial in self.trials if trial.values), default=1)

    @property
    def _unfinished(self) -> list[FrozenTrial]:
        running, waiting = TrialState.RUNNING, TrialState.WAITING
        return [
            trial
            for trial in self.trials
            if trial.state == waiting
            or (trial.state == running and not self.observer.is_gone(trial))
        ]

    def arriving(self, below: int) -> int:
        """Return how many trials with lower numbers are about to claim a seat."""
        return sum(
            trial.number < below
            and self.observer.is_unsigned(trial)
            and self.observer.age(trial) < ARRIVAL_AGE
            for trial in self.trials
        )

    def left_behind(self) -> list[int]:
        """Return the numbers of trials that must be failed, since nobody runs them any more."""
        carriers = [t.number for t in self.trials if "settings" in claim_of(t)]
        others = any(
            trial.number > min(carriers, default=0)
            and CLAIM not in trial.system_attrs
            and trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            for trial in self.trials
        )
        return [
            trial.number
            for trial in self.trials
            if (trial.state == TrialState.RUNNING and self.observer.is_gone(trial))
            or (
                self.observer.is_unsigned(trial)
                and self.observer.age(trial) > STILLBORN_AGE
                and not others
            )
        ]

    def scored(self, place: Place) -> bool:
        """Return True if a seat has a score, its own or one that a fast learner kept."""
        if place in self._counted or self.failures.get(place, 0) >= 3:
            return True
        return self._is_kept(place)

    def _is_kept(self, place: Place) -> bool:
        generation = place[0]
        if generation == 0 or not self._paired.settings.keeps_scores:
            return False
        member = self._member(place)
        pair = self._pair(generation - 1, member)
        before = self._paired.generations[generation - 1]
        fast = before.pairs[pair][0 if before.first_fast[pair] else 1]
        again = self._paired.generations[generation].reevaluated[member]
        return self.moved(generation - 1, pair) and member == fast and not again

    def _member(self, place: Place) -> int:
        return int(self._paired.generations[place[0]].pairs.ravel()[place[1]])

    def _pair(self, generation: int, member: int) -> int:
        return self._paired.generations[generation].pairs.ravel().tolist().index(member) // 2

    def ready(self, place: Place) -> bool:
        """Return True if the position to score at a seat is known."""
        generation, _ = place
        if generation == 0:
            return True
        return self.moved(generation - 1, self._pair(generation - 1, self._member(place)))

    def complete(self, generation: int) -> bool:
        """Return True if every seat of a generation is scored."""
        return all(
            self.ready((generation, seat)) and self.scored((generation, seat))
            for seat in range(self.size)
        )

    def moved(self, generation: int, pair: int) -> bool:
        """Return True if a pair can move to the next generation."""
        key = generation, pair
        if key not in self._ready:
            self._ready[key] = self._moved(generation, pair)
        return self._ready[key]

    def _moved(self, generation: int, pair: int) -> bool:
        places = [(generation, 2 * pair), (generation, 2 * pair + 1)]
        if not all(self.ready(place) and self.scored(place) for place in places):
            return False
        if self._paired.settings.space is None:
            # The space is that of all generations before, or else of the first complete trials.
            shown = any(self._shows_space(before) for before in range(generation))
            return self.complete(generation - 1 if shown else generation)
        return generation == 0 or not self._needs_history(places) or self.complete(generation - 1)

    def _shows_space(self, generation: int) -> bool:
        """Return True if a generation has a complete trial."""
        scores = [self.score((generation, seat)) for seat in range(self.size)]
        return any(score and score.state == TrialState.COMPLETE for score in scores)

    def _needs_history(self, places: list[Place]) -> bool:
        """Return True if a pair's move depends on the scores of the generation before."""
        if self._paired.settings.screening.on:
            return True
        encoding = self._paired.generations[0].encoding
        finite = encoding is not None and encoding.counts is not None
        if finite and self._paired.settings.avoids_repeats:
            return True
        scores = [self.score(place) for place in places]
        if any(score is None for score in scores):
            return self.objectives > 1 and scores == [None, None]
        one, other = (score for score in scores if score is not None)
        if self.objectives == 1 or one.state != other.state:
            return False
        if one.state == TrialState.PRUNED:
            return True
        # The first objective of a scenario is minimised, the second one maximised.
        signs = (1, -1)[: self.objectives]
        differences = [s * (a - b) for s, a, b in zip(signs, one.values, other.values, strict=True)]
        return not any(differences) or min(differences) < 0 < max(differences)

    def score(self, place: Place) -> FrozenTrial | None:
        """Return the trial whose score a seat has; None if the objective always failed."""
        own = [
            trial
            for trial in self.trials
            if place_of(trial) == place and trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        ]
        if not self._is_kept(place):
            return min(own, key=lambda trial: (trial.datetime_complete, trial.number), default=None)
        generation, member = place[0] - 1, self._member(place)
        seat = self._paired.generations[generation].pairs.ravel().tolist().index(member)
        return self.score((generation, seat))

    def open(self) -> list[Place]:
        """Return the seats that can be scored and are not, in order."""
        assert self.population is not None
        places = [
            (generation.index, seat)
            for generation in self.population.generations
            for seat in range(self.size)
        ]
        return [place for place in places if self.ready(place) and not self.scored(place)]

    def free(self, *, but: int | None = None) -> list[Place]:
        """Return the open seats that no trial but `but` claims or reserves."""
        taken = set().union(*self._named(but).values())
        return [place for place in self.open() if place not in taken]

    def seat_of(self, number: int) -> Place | None:
        """Return the seat that trial `number` must take; None for an extra trial."""
        ahead, extras = self.arriving(number), self.preset == "plain"
        if self.population is None:
            return None if extras and ahead >= self.size else (0, ahead % self.size)
        free = self.free(but=number)
        if free:
            return free[min(ahead, len(free) - 1)]
        ready = self.open()
        running = {t.number: place_of(t) for t in self._unfinished if t.number != number}
        if extras:
            youngest = {
                place: max(n for n, own in self._named(number).items() if place in own)
                for place in ready
            }
            abandoned = [p for p, n in youngest.items() if number - n > 4 * self.size]
            return min(abandoned, key=lambda place: youngest[place], default=None)
        again = [place for place in running.values() if place is not None and place in ready]
        again = again or ready
        return min(again, key=lambda place: (again.count(place), again.index(place)))

    def _named(self, but: int | None) -> dict[int, set[Place]]:
        """Return the seats that unfinished trials claim or reserve, by trial number."""
        named: dict[int, set[Place]] = {}
        for trial in self._unfinished:
            place = place_of(trial)
            if trial.number == but or place is None:
                continue
            named[trial.number] = {place}
            kept = json.loads(trial.system_attrs.get(RESERVED) or "{}")
            if kept and not self.observer.is_dead(kept["worker"]):
                named[trial.number] |= {(generation, seat) for generation, seat in kept["seats"]}
        return named

    def batch(self) -> list[Place]:
        """Return the seats that a whole generation must take."""
        if self.population is None:
            return [(0, seat) for seat in range(self.arriving(len(self.trials)), self.size)]
        free = [place for place in self.free() if place[0] == self.free()[0][0]]
        return free[self.arriving(len(self.trials)) :]


class WholeGenerationRules(SeatRules):
    """The rules of a sampler that draws a generation when the one before is complete."""

    def ready(self, place: Place) -> bool:
        """Return True if the position to score at a seat is known."""
        earlier = [(g, seat) for g in range(place[0]) for seat in range(self.size)]
        return all(map(self.scored, earlier))

    def _is_kept(self, place: Place) -> bool:
        return False
