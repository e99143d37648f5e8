"""A supernet whose weights all trials of a study share, apart from the trials themselves."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Generic

import numpy as np

from relativenas_optuna.networks.additive_cost import counted_costs
from relativenas_optuna.objective.candidate import A
from relativenas_optuna.samplers.populations import population_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import optuna

    from relativenas_optuna.objective.candidate import CandidateTrainer
    from relativenas_optuna.objective.outcome import CandidateSteps
    from relativenas_optuna.objective.study_weights import StudyWeights
    from relativenas_optuna.objective.trial_scorer import TrialScorer
    from relativenas_optuna.objective.uniform_paths import UniformProgress
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.spaces.costs import AdditiveCost
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.loop import Evaluation


class SharedSupernet(Generic[A]):
    """A supernet whose weights all trials of a study share, which threads use in turns.

    Args:
        space: Search space.
        trainer: Trainer of the supernet.
        scorer: Way to score an architecture.
        study_weights: Shared weights of the study whose trials are scored.

    Attributes:
        space: Search space.
        settings: Settings of training and scoring.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        supernet: The supernet, which is trained in place.
        weights: Its weight set.
    """

    def __init__(
        self,
        space: Space[A],
        trainer: CandidateTrainer[A],
        scorer: TrialScorer[A],
        study_weights: StudyWeights,
    ) -> None:
        self.space = space
        self.settings, self.seed = trainer.settings, trainer.seed
        self.supernet, self.weights = trainer.supernet, trainer.weights
        self._trainer, self._scorer, self._of_study = trainer, scorer, study_weights
        self._lock = threading.Lock()

    def evaluate(self, genotype: A) -> Evaluation:
        """Score an architecture on the validation images with the newest weights, untrained.

        The batch norms of its path first take the statistics of the training images, because the
        shared statistics mix all trained paths. The weight set is unchanged afterwards. With
        `settings.uniform_epochs` above 0 the result is what a trial would get.

        Raises:
            ValueError: The genotype is not in the space.
        """
        with self._lock:
            self._of_study.shared.begin(None)
            return self._scorer.evaluate(genotype)

    @contextmanager
    def steps(self, genotype: A | None = None) -> Iterator[CandidateSteps]:
        """Yield single steps of a candidate, to measure their time before a search.

        The weights are as before at the end of the `with` block. For the fastest number of CPU
        threads::

            with objective.steps() as steps:
                choose_threads(steps.train, steps.training)

        Args:
            genotype: Architecture of the candidate; None for a random one.

        Raises:
            ValueError: The genotype is not in the space.
        """
        if genotype is None:
            genotype = self.space.random(np.random.default_rng(self.seed))
        with self._lock, self._trainer.steps(genotype) as steps:
            yield steps

    def prepare(
        self, study: optuna.Study, report: Callable[[UniformProgress], None] = lambda _: None
    ) -> None:
        """Train the shared weights on uniform paths, as far as no process has done so already.

        The first trial does it too. It does nothing if `settings.uniform_epochs` is 0.

        Args:
            study: Study whose trials will be scored.
            report: Function that is called with the progress after each epoch, and every half
                second while another process trains.

        Raises:
            DivergedError: The loss or a weight became NaN or infinite; a `ValueError`.
            ValueError: The study was started with another seed, other images or another number of
                epochs.
        """
        with self._lock:
            self._of_study.open(study)
            self._scorer.prepare(self._of_study.shared, report)

    @cached_property
    def costs(self) -> dict[str, AdditiveCost]:
        """The "parameters" and "multiply_adds" of a stand-alone network at the supernet's size.

        A sampler takes them as its `costs`, for `limits={"parameters": 2e6}`. A network of another
        size has other costs, see `networks.costs_of`. Raises as `networks.network_costs`.
        """
        return counted_costs(self._trainer.costs, self.space)

    @property
    def waiting(self) -> list[Seat]:
        """Seats of the learners that wait for their partners to be scored."""
        return sorted(self._of_study.shared.waiting())

    def check_images(self, study: optuna.Study) -> None:
        """Raise `DataError` if the study was started with other images.

        The content, order and class names of the images count; their path does not.
        """
        self._of_study.check_images(study)

    def settle(self, study: optuna.Study) -> None:
        """Commit learners whose partners failed for good; to call after the last trial."""
        with self._lock:
            self._of_study.shared.settle(lambda: population_in(study))
