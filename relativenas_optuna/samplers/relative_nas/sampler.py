"""RelativeNASSampler: slow-fast learning as a sampler of Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.limits.limits import limits_of
from relativenas_optuna.samplers.relative_nas.extra_trials import ExtraTrials
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.relative_nas.settings import Arguments
from relativenas_optuna.samplers.seats.sampler import PopulationSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.replay import Replay
    from relativenas_optuna.spaces.costs import AdditiveCost, CostFunction, Limit
    from relativenas_optuna.spaces.descriptors import DescriptorFunction


class RelativeNASSampler(PopulationSampler):
    """Sampler that searches by slow-fast learning in a population.

    Each trial scores one seat of one generation. Seats 2k and 2k + 1 are pair k. The better of the
    two is the fast learner and keeps its position. The other, the slow learner, moves toward it
    (`slow_fast.learn`). With several objectives the one that dominates the other is fast; if
    neither does, it is the one in the less crowded region of the generation before. Constraints
    (`trial.set_constraint`) come first.

    The study is the only state: any process can continue any study at any moment, and any number of
    processes and threads can search it together. The populations are the same at any number of
    workers.

    With preset "plain", a trial that is asked for while all open seats are running is an extra
    trial. It has no seat and scores a new architecture, by all that is known then. Its proposal
    depends on timing, so its result never changes the population. It counts for `study.best_trial`
    and for later extra trials.

    A failed trial frees its seat. A seat whose objective failed three times counts as slowest. If
    no seat is free, a running trial counts as abandoned after four younger trials per member, and
    another trial scores its seat too.

    Example:
        >>> import optuna
        >>> from relativenas_optuna import RelativeNASSampler
        >>> sampler = RelativeNASSampler(population_size=4, seed=0)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=40)
        >>> study.best_value < 0.1
        True

    Args:
        search_space: Names and distributions of all parameters, conditional ones included. By
            default the sampler learns the space: the first generation is drawn at random, and
            later ones search every parameter that a complete trial of an earlier generation
            suggested. A parameter that came with several ranges or choices is drawn at random.
            With a given space no generation waits until the first one is complete, and the random
            numbers are those of the published code.
        population_size: Members per generation, even and at least 2. By default 8 in a new study
            with preset "plain" and one objective, else 20. With those 8, about half a generation
            can be scored at the same time, and further workers score extra trials. For many
            workers, take twice their number.
        seed: Seed of all random numbers, 0 to 2**32 - 1. By default random in a new study.
        preset: "plain", "paper" or "random"; by default "plain" in a new study.

            "plain" is for an objective whose scores do not drift. A fast learner keeps its score,
            so that a later generation scores only its slow learners. In a finite space, an
            architecture that was scored two or more generations before is not proposed again until
            all have been scored. Architectures that differ only in parameters that a trial did not
            suggest count as one. With one objective, "plain" also departs from the paper in four
            ways: (1) The first generation is a Latin hypercube. (2) A slow learner's move is drawn
            100 times, and each variable of a move is redrawn with probability 0.2. A Gaussian
            process of the scores so far chooses the move with the largest expected improvement. It
            uses the pair's own scores and the generations before, for which the pair waits, and
            counts the proposals of the pair's generation as known. (3) A velocity is the learner's
            last move. (4) From the eighth generation on, the best member is scored again: once, and
            up to ten times if its scores differ and its lead may be luck. The mean of an
            architecture's scores counts (see `trusted_trial`). Parameters outside the search space
            count as noise. A population of 2 scores no architecture again.

            "paper" is the published algorithm, for scores that drift, as they do with shared
            weights: every member is scored anew in every generation.

            "random" is the baseline: every member is drawn anew in every generation.
        warm_start: True to start the first seats of a new study from the best complete trials of
            other samplers. With "plain" these members also keep the scores of those trials.
        limits: Largest costs by name, which no proposal is above; it needs `search_space`. A number
            limits a cost of `costs`; a `spaces.Limit` has its own. The first generation is drawn
            uniformly within the limits. A move that leaves them is replaced by the nearest
            architecture within them, with the fewest changed variables. Then an architecture may be
            proposed again even with preset "plain". A trial's constraints
            `limit on NAME` say how far its cost is from the limit. A parameter or architecture that
            you fix or enqueue yourself is not changed.
        costs: Costs that `limits` names: a `spaces.AdditiveCost`, or a function of a trial's
            parameters. The study stores sums; a function must be given to every process.
            `networks.network_costs` and `SupernetObjective.costs` give those of networks.
        descriptors: Function from the parameters of an architecture to finite numbers by name, such
            as counts of operations, which `spaces.space_descriptors` returns. They are further
            inputs of the Gaussian process of preset "plain", which learns how much they tell. It
            needs `search_space`, and must be given to every process that continues the study.
        independent_sampler: Sampler of the parameters that are not searched: those outside
            `search_space`, and those that other trials suggested with another range or other
            choices. By default they are drawn uniformly, by seed, generation, seat and name alone.
        warn_independent_sampling: True to warn, once per name, of a parameter that is not
            searched.
        constraints_func: Function that returns the constraint values of a finished trial, as for
            Optuna's own samplers; a trial is feasible if all are at most 0. Every process that
            finishes trials needs the same function. Optuna 5 has deprecated it: call
            `trial.set_constraint` in the objective instead.

    In a study that was already started, `population_size`, `seed`, `preset` and `warm_start` are
    those of the study by default.

    Raises:
        SettingsError: An argument is out of range. `study.ask` raises it too, and the new trial
            fails, if the study was started with other arguments or by another sampler. It is a
            `ValueError`.
    """

    population_class = PairedPopulation

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        population_size: int | None = None,
        seed: int | None = None,
        preset: str | None = None,
        warm_start: bool | None = None,
        limits: Mapping[str, float | Limit] | None = None,
        costs: Mapping[str, AdditiveCost | CostFunction] | None = None,
        descriptors: DescriptorFunction | None = None,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        super().__init__(
            Arguments(
                population_size,
                seed,
                search_space,
                preset,
                warm_start,
                descriptors=descriptors,
                limits=limits_of(limits, costs),
            ),
            independent_sampler=independent_sampler,
            warn_independent_sampling=warn_independent_sampling,
            constraints_func=constraints_func,
        )

    def extra_proposals(self, replay: Replay) -> ExtraTrials:
        """Return the proposals for a study's extra trials."""
        return ExtraTrials(replay)

    def population(self, study: Study) -> PairedPopulation | None:
        """Return the generations of a study as they are now; None before its first trial.

        Raises:
            SettingsError: Another sampler started the study.
        """
        found = super().population(study)
        if not isinstance(found, PairedPopulation | None):
            raise SettingsError(
                f"study {study.study_name!r} was started by {found.sampler}, not by "
                f"{type(self).__name__}: use that sampler"
            )
        return found
