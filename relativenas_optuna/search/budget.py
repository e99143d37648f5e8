"""Plan a search that ends after a given time, from the measured speed of its work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relativenas_optuna._utils.durations import short_time
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.halving import rung_epochs, sizes_of, steps_of

if TYPE_CHECKING:
    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.search.speed_record import Speed

# Shares of the time that remains after the least plan. The rest is for work that is not measured,
# such as proposals, files and figures.
WEIGHTS, SCORING, FINALS = 0.20, 0.10, 0.65
REST = 1 - WEIGHTS - SCORING - FINALS
LEAST_EPOCHS, LEAST_GENERATIONS = 1, 2
OF_TRIAL = 0.1
"""Seconds of a trial besides its score: the proposal, the database and the figures."""
MOST_EPOCHS = 200
"""Epochs of the shared weights, after which the time goes to the finals instead."""
MOST_TRIALS = 400
"""Trials after which the model of preset "plain" makes proposals slow."""


@dataclass(frozen=True, kw_only=True)
class TimePlan:
    """The work that a search does within its time.

    Attributes:
        uniform_epochs: Epochs of the training of the shared weights; 0 if each candidate trains.
        generations: Number of generations.
        passes: Passes over the training images in the finals; 0 without finals.
        weights: Seconds of the training of the shared weights.
        scoring: Seconds of all generations.
        finals: Seconds of the finals; without finals, of scoring the best candidates again.
    """

    uniform_epochs: int
    generations: int
    passes: int
    weights: float
    scoring: float
    finals: float


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The planner of a search within a time.

    Attributes:
        settings: Settings of the search; `uniform_epochs` above 0 only means that the shared
            weights are trained first.
        finals: Settings of the finals; None without finals.
        speed: Measured speed.
        keeps_scores: True if fast learners keep their scores, so that half of the seats of a later
            generation need no trial.
    """

    settings: SearchSettings
    finals: FinalsSettings | None
    speed: Speed
    keeps_scores: bool

    def plan(self, seconds: float, *, used: float = 0.0) -> TimePlan:
        """Return the plan for a time.

        Each kind of work gets its least amount, and a fixed share of the remaining time. Epochs and
        trials have largest numbers; time beyond these goes to the finals.

        Args:
            seconds: The time in seconds.
            used: Seconds of the time that are already used.

        Raises:
            SearchError: The time is shorter than the least plan takes.
        """
        uniform = self.settings.uniform_epochs > 0
        weights = LEAST_EPOCHS * self.speed.epoch if uniform else 0.0
        scoring = self._scoring(LEAST_GENERATIONS)
        finals = self._finals(1)
        least = weights + scoring + finals
        spare = (seconds - used) * (1 - REST) - least
        if spare < 0:
            raise _too_short(seconds, used + least / (1 - REST))
        to_weights, to_scoring, to_finals = (
            (WEIGHTS if uniform else 0.0),
            (SCORING if uniform else WEIGHTS + SCORING),
            (FINALS if self.finals is not None else 0.0),
        )
        whole = to_weights + to_scoring + to_finals
        scoring = min(scoring + spare * to_scoring / whole, self._scoring(self._most_generations))
        spare = max(0.0, (seconds - used) * (1 - REST) - weights - scoring - finals)
        if (whole := to_weights + to_finals) > 0:
            more = spare * to_weights / whole
            if to_finals:
                more = min(more, (MOST_EPOCHS - LEAST_EPOCHS) * self.speed.epoch)
                finals += spare - more
            weights += more
        epochs = max(LEAST_EPOCHS, _whole(weights, self.speed.epoch)) if uniform else 0
        generations = max(LEAST_GENERATIONS, self._generations(scoring))
        passes = 0 if self.finals is None else self.passes(finals - self.speed.choosing)
        return TimePlan(
            uniform_epochs=epochs,
            generations=generations,
            passes=passes,
            weights=epochs * self.speed.epoch,
            scoring=self._scoring(generations),
            finals=self._finals(passes),
        )

    def more_generations(self, seconds: float) -> int:
        """Return how many generations to add to a started search for more time; at least 1.

        New finals follow, which take the rest of the time.

        Args:
            seconds: The additional time in seconds.

        Raises:
            SearchError: One generation and the least finals take longer.
        """
        uniform = self.settings.uniform_epochs > 0
        generation = self._scoring(2) - self._scoring(1)
        finals = self._finals(1)
        spare = seconds * (1 - REST) - generation - finals
        if spare < 0:
            least = (generation + finals) / (1 - REST)
            raise SearchError(
                f"time must grow by at least {short_time(least)}, because one more generation and "
                f"its finals take so long; got {short_time(seconds)}"
            )
        to_scoring = SCORING if uniform else WEIGHTS + SCORING
        to_finals = 0.0 if self.finals is None else FINALS
        return 1 + _whole(spare * to_scoring / (to_scoring + to_finals), generation)

    def left(self, generations: int, passes: int) -> float:
        """Return the seconds that a search without a time takes after some of its generations.

        Args:
            generations: Number of generations that are scored.
            passes: Passes of the finals, unless their settings have a number.
        """
        scoring = self._scoring(self.settings.generations) - self._scoring(generations)
        if self.finals is None:
            return scoring + self._finals(0)
        passes = self.finals.passes or passes
        return scoring + self._finals(passes)

    def passes(self, seconds: float, *, of_pass: float | None = None) -> int:
        """Return the largest number of passes of the finals that fits into a time; at least 1.

        Args:
            seconds: Time for the trainings, in seconds.
            of_pass: Seconds of one pass; None for the measured speed.
        """
        low, high = 1, 2
        while self._trainings(high, of_pass) <= seconds and high < 2**40:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            fits = self._trainings(middle, of_pass) <= seconds
            low, high = (middle, high) if fits else (low, middle)
        return low

    def _trainings(self, passes: int, of_pass: float | None = None) -> float:
        """Return the seconds of all trainings of the finals."""
        if self.finals is None:
            return 0.0
        # Seconds of zero, which a coarse clock may measure, would allow any number of passes.
        of_pass = max(1e-6, self.speed.final_pass if of_pass is None else of_pass)
        sizes = sizes_of(self.finals)
        at_once = (steps_of(self.finals), *((size,) for size in sizes[1:]))
        return sum(
            math.ceil(number / self.speed.workers) * (epochs * of_pass + self.speed.final_score)
            for numbers, epochs in zip(at_once, rung_epochs(sizes, passes), strict=True)
            for number in numbers
        )

    def _finals(self, passes: int) -> float:
        return self.speed.choosing + self._trainings(passes)

    def _trials(self, generations: int) -> float:
        """Return the number of trials; the first generation is scored whole."""
        later = 0.5 if self.keeps_scores else 1.0
        return self.settings.population * (1 + later * (generations - 1))

    def _scoring(self, generations: int) -> float:
        at_once = min(self.speed.workers, max(1, self.settings.population // 2))
        return self._trials(generations) * (self.speed.candidate + OF_TRIAL) / at_once

    def _generations(self, seconds: float) -> int:
        """Return the number of generations that are scored within a time; 0 for less than one."""
        first, next_one = self._scoring(1), self._scoring(2) - self._scoring(1)
        return 0 if seconds < first else 1 + _whole(seconds - first, next_one)

    @property
    def _most_generations(self) -> int:
        if not self.keeps_scores:
            return 2**31
        trials = MOST_TRIALS - self.settings.population
        return max(LEAST_GENERATIONS, 1 + 2 * trials // self.settings.population)


def _whole(seconds: float, of_one: float) -> int:
    """Return how often a piece of work fits into a time."""
    return max(0, math.floor(seconds / max(of_one, 1e-6) + 1e-9))


def _too_short(seconds: float, least: float) -> SearchError:
    return SearchError(
        f"time must be at least {short_time(least)} for these images, because {LEAST_GENERATIONS} "
        f"generations and the shortest finals take so long; got {short_time(seconds)}: give more "
        f"time, fewer images or a smaller --size"
    )
