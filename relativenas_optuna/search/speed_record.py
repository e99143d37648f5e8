"""The measured speed of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from relativenas_optuna._utils.checked_fields import Range, check_fields

if TYPE_CHECKING:
    from relativenas_optuna.objective.settings import SearchSettings

_FORWARD = 1 / 3  # of the time of a training step: a backward pass takes about two forward passes

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
