"""The two ways to score a trial: after training its candidate, or with frozen shared weights."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from optuna.study import StudyDirection

from relativenas_optuna.objective.candidate import A
from relativenas_optuna.objective.outcome import Phases, Watch
from relativenas_optuna.objective.trials import place_of, record, reporting
from relativenas_optuna.objective.uniform_paths import UniformPaths
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.samplers.seats.claimed_population import partner_of
from relativenas_optuna.samplers.seats.claims import claim_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import optuna

    from relativenas_optuna.objective.candidate import CandidateTrainer
    from relativenas_optuna.objective.shared_weights import SharedWeights
    from relativenas_optuna.objective.uniform_paths import UniformProgress
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.loop import Evaluation

A_contra = TypeVar("A_contra", contravariant=True)


class TrialScorer(Protocol[A_contra]):
    """A way to score the architectures of trials with the shared weights of their study."""

    def prepare(self, shared: SharedWeights, report: Callable[[UniformProgress], None]) -> None:
        """Train the shared weights before the first score, if this scorer does so.

        Args:
            shared: Shared weights of the study.
            report: Function that is called with the progress.

        Raises:
            DivergedError: The loss or a weight became NaN or infinite.
        """

    def score(
        self,
        trial: optuna.Trial,
        genotype: A_contra,
        shared: SharedWeights,
        errors: list[Exception],
    ) -> float:
        """Return the loss or the metric of a trial's architecture, and record it in the trial.

        Args:
            trial: The trial.
            genotype: Its architecture.
            shared: Shared weights of the trial's study.
            errors: List to which errors of the architecture are added before they are raised.

        Returns:
            NaN if the training diverged.
        """

    def evaluate(self, genotype: A_contra) -> Evaluation:
        """Score an architecture untrained, with the weights as they are.

        Raises:
            ValueError: The genotype is not in the space.
        """


class TrainingScorer(Generic[A]):
    """A `TrialScorer` that trains each candidate for one epoch, and commits its weights.

    Args:
        trainer: Trainer of the candidates.
        space: Search space.
        pruning: True to report the running loss to the study's pruner.
    """

    def __init__(self, trainer: CandidateTrainer[A], space: Space[A], *, pruning: bool) -> None:
        self._trainer, self._space, self._pruning = trainer, space, pruning

    def prepare(self, shared: SharedWeights, report: Callable[[UniformProgress], None]) -> None:
        """Do nothing, because the candidates train the shared weights."""

    def score(
        self, trial: optuna.Trial, genotype: A, shared: SharedWeights, errors: list[Exception]
    ) -> float:
        """Return the loss of a candidate after its epoch, and commit its weights."""
        claim, text = claim_of(trial), self._space.text(genotype)
        seat, partner = (None, None) if claim is None else (claim.seat, partner_of(claim))
        place = place_of(trial, seat, self._trainer.settings.population)
        known = None if seat is None else shared.known(seat, text)
        if known is not None:
            record(
                trial, text, Phases(), seat, accuracy=known.accuracy, train_loss=known.train_loss
            )
            return known.loss
        shared.settle(lambda: population_in(trial.study))
        start = shared.begin(partner)
        with _added_to(errors), reporting(trial, enabled=self._pruning) as report:
            outcome = self._trainer.train(genotype, place, report=report)
        if outcome.diverged:
            return math.nan
        scored, watch = outcome.scored(place, text), Watch(self._trainer.device)
        stale = shared.end(
            scored,
            outcome.trained,
            start_version=start,
            partner=partner,
            has_seat=seat is not None,
            maximise=trial.study.directions[0] == StudyDirection.MAXIMIZE,
        )
        outcome.phases.commit += watch.lap()
        record(
            trial,
            text,
            outcome.phases,
            seat,
            accuracy=scored.accuracy,
            train_loss=scored.train_loss,
            start=start,
            stale=stale,
        )
        return scored.loss

    def evaluate(self, genotype: A) -> Evaluation:
        """Score an architecture with batch norms calibrated on all training images."""
        return self._trainer.evaluate(genotype)


class FrozenScorer(Generic[A]):
    """A `TrialScorer` that trains the shared weights first, and then only scores candidates.

    Args:
        trainer: Trainer of the supernet, with `settings.uniform_epochs` above 0.
        space: Search space.
        draw: Function that draws the architecture of a path; None for `space.random`.
    """

    def __init__(
        self,
        trainer: CandidateTrainer[A],
        space: Space[A],
        draw: Callable[[np.random.Generator], A] | None,
    ) -> None:
        self._trainer, self._space = trainer, space
        self._paths = UniformPaths(trainer, space, draw)

    def prepare(self, shared: SharedWeights, report: Callable[[UniformProgress], None]) -> None:
        """Train the shared weights on uniform paths, as far as no process has done so already."""
        self._paths.prepare(shared, report)

    def score(
        self, trial: optuna.Trial, genotype: A, shared: SharedWeights, errors: list[Exception]
    ) -> float:
        """Return the loss of a candidate with the shared weights, which `prepare` trains first."""
        self._paths.prepare(shared)
        watch, phases, claim = Watch(self._trainer.device), Phases(), claim_of(trial)
        with _added_to(errors):
            score = self._paths.score(genotype)
        phases.validate = watch.lap()
        if not (math.isfinite(score.loss) and math.isfinite(score.score)):
            return math.nan
        record(
            trial,
            self._space.text(genotype),
            phases,
            None if claim is None else claim.seat,
            accuracy=score.accuracy,
            start=self._trainer.weights.version,
        )
        return score.score

    def evaluate(self, genotype: A) -> Evaluation:
        """Score an architecture as the trials are scored."""
        return self._paths.score(genotype)


def trial_scorer(
    trainer: CandidateTrainer[A],
    space: Space[A],
    *,
    draw: Callable[[np.random.Generator], A] | None,
    pruning: bool,
) -> TrialScorer[A]:
    """Return the scorer that the trainer's settings ask for.

    Args:
        trainer: Trainer of the candidates.
        space: Search space.
        draw: Function that draws the architecture of a uniform path; None for `space.random`.
        pruning: True to report the running loss of a candidate to the study's pruner.

    Raises:
        ValueError: `pruning` is True, but candidates are not trained.
    """
    if trainer.settings.uniform_epochs == 0:
        return TrainingScorer(trainer, space, pruning=pruning)
    if pruning:
        raise ValueError(
            "pruning must be False with settings.uniform_epochs above 0, because "
            "candidates are scored without an epoch of training; got True"
        )
    return FrozenScorer(trainer, space, draw)


@contextmanager
def _added_to(errors: list[Exception]) -> Iterator[None]:
    """Add an exception of the `with` block to a list."""
    try:
        yield
    except Exception as error:
        errors.append(error)
        raise
