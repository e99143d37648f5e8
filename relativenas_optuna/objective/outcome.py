"""The result of training a candidate, and the time that it took."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from relativenas_optuna.objective.checkpoints.record import CandidateScore

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.objective.weight_set import Trained
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.training.loop import EpochResult, Evaluation


@dataclass
class Phases:
    """The duration of each phase of a candidate, in seconds.

    Attributes:
        inherit: Time to prepare the training and copy the inherited weights.
        train: Time to train the candidate.
        validate: Time to score the candidate on the validation images.
        commit: Time to copy the trained weights, restore the shared ones, and commit.
    """

    inherit: float = 0.0
    train: float = 0.0
    validate: float = 0.0
    commit: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a candidate's epoch.

    Attributes:
        training: Result of the training.
        score: Score on the validation images after the epoch.
        trained: The candidate's weights after the epoch.
        spoilt: True if a finite number among the weights became infinite or NaN.
        phases: Seconds of each phase so far.
    """

    training: EpochResult
    score: Evaluation
    trained: Trained
    spoilt: bool = False
    phases: Phases = field(default_factory=Phases)

    def scored(self, place: Seat, text: str) -> CandidateScore:
        """Return the results to record for the candidate of a place.

        Args:
            place: Seat of the candidate, or the place that it was trained by.
            text: Text of its architecture.
        """
        return CandidateScore(
            seat=place,
            architecture=text,
            loss=self.score.score,
            accuracy=self.score.accuracy,
            train_loss=self.training.loss,
        )

    @property
    def diverged(self) -> bool:
        """True if a weight, the loss or the score is not finite."""
        finite = math.isfinite(self.score.loss) and math.isfinite(self.score.score)
        return self.spoilt or not finite


@dataclass(frozen=True, kw_only=True)
class CandidateSteps:
    """Single steps of a candidate, to measure their time.

    Attributes:
        train: Function that trains the candidate for one step on a number of images.
        score: Function that scores the candidate on a number of validation images.
        training: Images in a step of its training.
        scoring: Images in a batch of its scoring.
    """

    train: Callable[[int], object]
    score: Callable[[int], object]
    training: int
    scoring: int


class Watch:
    """A stopwatch that waits for the work of an asynchronous device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap, or since the start."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = perf_counter()
        seconds, self._start = now - self._start, now
        return seconds
