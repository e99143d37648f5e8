"""PopulationSampler: the part of a sampler of Optuna that all population samplers share."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from optuna.trial import Trial, TrialState

from relativenas_optuna.samplers.seats.batch import Batch, running_trials
from relativenas_optuna.samplers.seats.proposal_sampler import ProposalSampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study

    from relativenas_optuna.samplers.seats.batch import SeatTrial
    from relativenas_optuna.samplers.seats.population import Population


class PopulationSampler(ProposalSampler):
    """A sampler whose trials score the seats of generations.

    The study is the only state: any process can continue any study at any moment, and any number
    of processes and threads can search it together. A failed trial frees its seat. A seat whose
    objective failed three times counts as the worst of all.

    A subclass sets `population_class` to the rules of its search (see `Population`), and passes its
    checked arguments to this class.

    Args:
        arguments: Arguments of the sampler.
        independent_sampler: Sampler of the parameters that are not searched. By default the
            population draws them.
        warn_independent_sampling: True to warn, once per name, of a parameter that is not
            searched.
        constraints_func: Function that returns the constraint values of a finished trial, as for
            Optuna's own samplers. Optuna 5 has deprecated it.

    Raises:
        SettingsError: An argument is of the wrong type.
    """

    def population(self, study: Study) -> Population | None:
        """Return the generations of a study as they are now; None before its first trial.

        Raises:
            SettingsError: A sampler that this process does not know started the study.
        """
        with self._lock:
            replay = self._seating(study).replay
            replay.update(study)
            return replay.population

    def ask_generation(self, study: Study, *, detached: bool = False) -> list[Trial]:
        """Return running trials for all free seats of the next generation, to score them together.

        The next generation is the lowest one that has free seats. The trials are created with all
        parameters of the search space, conditional ones included, on a SQL database in one
        transaction. `study.tell` takes their results in any order, in any process. A parameter
        outside the space is drawn by this sampler when it is suggested, whatever `study.sampler`
        is. Parameters that a `PartialFixedSampler` around this one fixes are not fixed here.

        Args:
            study: The study.
            detached: True if the trials outlive this process, and another one reports their
                results. Other trials fail when this process is gone, and free their seats.

        Returns:
            The trials; none if every seat that can be scored is running.

        Raises:
            SettingsError: The study was started by another sampler, or with other arguments.
        """
        return self._ask(study, detached=detached)

    def ask_seats(self, study: Study, *, generations: int | None = None) -> list[Trial]:
        """Return running trials for the free seats that one worker scores together.

        These are the seats of one pair if the sampler has pairs, otherwise one seat. It is for a
        worker that scores both learners of a pair with its own weights. For the result and the
        errors see `ask_generation`.

        Args:
            study: The study.
            generations: Number of generations to score; None for no limit.

        """
        return self._ask(study, few=True, generations=generations)

    def _ask(self, study: Study, *, detached: bool = False, **options: Any) -> list[Trial]:
        with self._lock:
            seating = self._seating(study)
            batch = Batch(study, seating, TrialState.RUNNING, detached=detached, **options)
            created = sorted(batch.create(), key=lambda trial: trial.seat)
            for number, trial_id, seat in created:
                seating.runs(number, trial_id, seat, leased=not detached)
            return self._running(self._sampled_here(study), created)

    def _sampled_here(self, study: Study) -> Study:
        """Return the study with this sampler, which draws what its trials suggest later.

        Another sampler, such as Optuna's default, would draw the first generation of a learned
        space, and two runs with one seed would differ.
        """
        if study.sampler is self:
            return study
        ours = copy.copy(study)
        ours.sampler = self
        return ours

    def _running(self, study: Study, created: Sequence[SeatTrial]) -> list[Trial]:
        """Return the trials of a batch, which have all their parameters."""
        return running_trials(study, created)

    def enqueue_generation(self, study: Study) -> list[int]:
        """Create waiting trials for all free seats of the next generation, for workers to pop.

        The workers need not know this sampler: `study.optimize` and `study.ask` of any process,
        and `optuna ask`, take each waiting trial once, before they create new ones.

        Args:
            study: The study.

        Returns:
            The numbers of the trials; none if every seat that can be scored is running.

        Raises:
            SettingsError: The search space is not known, since it was not given and the first
                generation is not complete. Or the study was started by another sampler, or with
                other arguments.
        """
        with self._lock:
            batch = Batch(study, self._seating(study), TrialState.WAITING, detached=True)
            return [number for number, _, _ in batch.create()]
