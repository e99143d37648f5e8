"""Plan a search that ends after a given time, from the measured speed of its work."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from relativenas_optuna._utils.checked_fields import Range, check_fields
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.halving import rung_epochs, rung_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.search.finals.settings import FinalsSettings

# Shares of the time that the least plan leaves over. The rest is for what is not measured, such as
# proposals, files and figures.
WEIGHTS, SCORING, FINALS = 0.40, 0.15, 0.40
REST = 1 - WEIGHTS - SCORING - FINALS
LEAST_EPOCHS, LEAST_GENERATIONS = 1, 2
MOST_EPOCHS = 200
"""Epochs of the shared weights, after which the time goes to the finals instead."""
MOST_TRIALS = 400
"""Trials after which the model of preset "plain" makes proposals slow."""
_FORWARD = 1 / 3  # of the time of a training step: a backward pass takes about two forward passes
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)\s*([smh]?)", re.ASCII)

Seconds = Annotated[float, Range(0)]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The seconds of each kind of work of a search, on one process, as they were measured.

    Attributes:
        epoch: Training of the shared weights for one epoch.
        candidate: Score of one candidate, with its own training if it has one.
        choosing: Scoring the best candidates and random ones again, after the last generation.
        final_pass: Training of a network of the finals for one pass over the training images; 0
            without finals.
        final_score: Score of a network of the finals.
        workers: Number of processes that search together.

    Raises:
        ValueError: A value is out of range.
    """

    epoch: Seconds
    candidate: Seconds
    choosing: Seconds
    final_pass: Seconds
    final_score: Seconds
    workers: Annotated[int, Range(1)] = 1

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of_images(
        cls,
        settings: SearchSettings,
        *,
        training: int,
        validation: int,
        calibration: int,
        evaluations: int,
        train: float,
        score: float,
        final: float,
        workers: int = 1,
    ) -> Speed:
        """Return the speed of a search from the seconds that one image takes in each step.

        Args:
            settings: Settings of the search.
            training: Number of images to train on.
            validation: Number of images to score with.
            calibration: Number of images that set the batch norms of a candidate that is not
                trained before it is scored.
            evaluations: Number of architectures that are scored again after the last generation.
            train: Seconds per image of a training step of the supernet.
            score: Seconds per image of scoring with the supernet.
            final: Seconds per image of a training step of the finals; 0 without finals.
            workers: Number of processes that search together.
        """
        epoch, scoring = train * training, score * validation
        if settings.uniform_epochs:
            evaluation = score * calibration + scoring + settings.tuning * epoch
            candidate = evaluation
        else:
            evaluation = score * training + scoring
            candidate = epoch + scoring
        return cls(
            epoch=epoch,
            candidate=candidate,
            choosing=evaluations * evaluation,
            final_pass=final * training,
            final_score=_FORWARD * final * validation,
            workers=workers,
        )


@dataclass(frozen=True, kw_only=True)
class TimePlan:
    """What a search does within its time.

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
        settings: Settings of the search; `uniform_epochs` above 0 only tells that the shared
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

        Each kind of work gets its least amount, and a fixed share of the time that is left over.
        What the most epochs and trials leave of it goes to the finals.

        Args:
            seconds: The time in seconds.
            used: Seconds of it that are already used.

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

        New finals follow, which take what is left of the time.

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
            raise SearchError(
                f"time must be at least {shown((generation + finals) / (1 - REST))} more than "
                f"before, which one more generation and its finals take; got {shown(seconds)} more"
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

    def passes(self, seconds: float, *, of_pass: float | None = None, entrants: int = 0) -> int:
        """Return the most passes of the finals' trainings that fit into a time; at least 1.

        Args:
            seconds: Time for the trainings, in seconds.
            of_pass: Seconds of one pass; None for the measured speed.
            entrants: Number of architectures in the first rung; 0 for that of the settings.
        """
        low, high = 1, 2
        while self._trainings(high, of_pass, entrants) <= seconds and high < 2**40:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            fits = self._trainings(middle, of_pass, entrants) <= seconds
            low, high = (middle, high) if fits else (low, middle)
        return low

    def _trainings(self, passes: int, of_pass: float | None = None, entrants: int = 0) -> float:
        """Return the seconds of all trainings of the finals."""
        if self.finals is None:
            return 0.0
        # Seconds of zero, which a coarse clock may measure, would allow any number of passes.
        of_pass = max(1e-6, self.speed.final_pass if of_pass is None else of_pass)
        sizes = self._sizes(entrants)
        return sum(
            math.ceil(size / self.speed.workers) * (epochs * of_pass + self.speed.final_score)
            for size, epochs in zip(sizes, rung_epochs(sizes, passes), strict=True)
        )

    def _sizes(self, entrants: int) -> Sequence[int]:
        assert self.finals is not None
        return rung_sizes(
            entrants or self.finals.shortlist, rungs=self.finals.rungs, keep=self.finals.keep
        )

    def _finals(self, passes: int) -> float:
        return self.speed.choosing + self._trainings(passes)

    def _trials(self, generations: int) -> float:
        """Return the number of trials; the first generation is scored whole."""
        later = 0.5 if self.keeps_scores else 1.0
        return self.settings.population * (1 + later * (generations - 1))

    def _scoring(self, generations: int) -> float:
        at_once = min(self.speed.workers, max(1, self.settings.population // 2))
        return self._trials(generations) * max(1e-6, self.speed.candidate) / at_once

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


def seconds_in(text: str) -> float:
    """Return the seconds of a duration such as "90s", "10m", "1.5h" or "600".

    Raises:
        ValueError: The text is no duration, or it is 0.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = 0.0 if found is None else float(found[1]) * _UNITS[found[2]]
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"time must be a duration such as 90s, 10m or 1.5h, where a number alone is in "
            f"seconds; got {text!r}"
        )
    return seconds


def shown(seconds: float) -> str:
    """Return a duration as `seconds_in` reads it, rounded up to two digits or so: "90s", "11m"."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= 10 * length:
            return f"{math.ceil(seconds / length - 1e-9)}{unit}"
    return f"{math.ceil(seconds - 1e-9)}s"


def _whole(seconds: float, of_one: float) -> int:
    """Return how many times a work fits into a time."""
    return max(0, math.floor(seconds / max(of_one, 1e-6) + 1e-9))


def _too_short(seconds: float, least: float) -> SearchError:
    return SearchError(
        f"time must be at least {shown(least)} for these images, which {LEAST_GENERATIONS} "
        f"generations and the shortest finals take; got {shown(seconds)}: give more time, fewer "
        f"images or a smaller --size"
    )
