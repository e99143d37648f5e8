"""MIGOSampler: a natural gradient on categorical distributions as a sampler of Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.samplers.limits.limits import limits_of
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.migo.settings import MIGOArguments
from relativenas_optuna.samplers.seats.sampler import PopulationSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.spaces.costs import AdditiveCost, CostFunction, Limit


class MIGOSampler(PopulationSampler):
    """Sampler that moves a product of categorical distributions along their natural gradient.

    MIGO is the search algorithm of MIGO-NAS (Zheng et al., IEEE TPAMI 43(9), 2021). It keeps a
    probability for each category of each parameter, uniform at the start. Each generation is one
    sweep of trials, drawn by fair sampling: all categories of a parameter are used equally often,
    as far as the size of the sweep allows, in random order. The ranks of the sweep then move the
    probabilities. Every few sweeps the least likely category of each parameter is dropped. The
    result is `population(study).most_likely()`.

    Fair sampling is made for objectives whose scores depend on how often a category was used, such
    as `SupernetObjective`, which trains shared weights: no category gets better scores because it
    was trained more often. But it spends as many trials on bad categories as on good ones. For an
    objective of your own that does not depend on earlier trials, pass `fair_sampling=False`: on
    nine families of test functions, the regret of the best trial was about half of that with fair
    sampling after 100 trials, and a sixth after 400. Each parameter has a distribution of its own,
    so MIGO is weak where only the combination of parameters counts; and it is weak on continuous
    parameters, of which it learns bins only. When one category of each parameter is left, all
    further trials have these categories.

    A categorical parameter has its choices as categories. An integer, or a float with steps, has
    its values if there are at most `bins`. Any other number has `bins` ordered bins, equally wide
    on a log scale with `log=True`, and within a bin it is drawn uniformly.

    The study is the only state: any process can continue any study at any moment, and any number of
    processes and threads can search it together. The same seed gives the same sweeps at any number
    of workers. A sweep starts when the one before is scored. While all of its seats are running, a
    further trial scores the seat again that has been running longest; so take at least as many
    trials per sweep as there are workers.

    The update uses the parameters that were really scored, also those of enqueued trials. With
    several objectives, a trial that fewer others of its sweep dominate ranks better, then one in a
    less crowded region. Trials that violate a constraint (`trial.set_constraint`) rank below
    feasible ones, pruned trials below complete ones. A failed trial frees its seat; a seat whose
    objective failed three times ranks last.

    Example:
        >>> import optuna
        >>> from relativenas_optuna import MIGOSampler
        >>> sampler = MIGOSampler(population_size=10, seed=0)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: trial.suggest_int("x", -4, 5) ** 2, n_trials=60)
        >>> study.best_value
        0.0

    Args:
        search_space: Names and distributions of all parameters, conditional ones included. By
            default the sampler learns the space: the first sweep is drawn at random, and later ones
            search every parameter that a complete trial of an earlier sweep suggested. A parameter
            that came with several ranges or choices is drawn at random.
        population_size: Trials of a sweep. By default, in a new study, the largest number of
            categories of a parameter of `search_space`, or its smallest multiple from 6 on; 20
            without a space. With fair sampling it must not be less than that number, and a multiple
            of it uses all categories equally often.
        seed: Seed of all random numbers, 0 to 2**32 - 1. By default random in a new study.
        fair_sampling: False to draw each trial from the probabilities alone. By default True in a
            new study.
        pruning_interval: Number of updates after which the least likely category of each parameter
            is dropped for good, again and again until one is left; 0 never drops one. By default,
            in a new study, 5 with fair sampling and 0 without.
        bins: Number of bins of a number with more values, 2 to 1,000. By default 10 in a new study.
        step: Length of an update of the probabilities in the Fisher metric, above 0, at most 100.
            By default 1 in a new study, as published.
        momentum: Weight of the update before in the next one, from 0 to below 1. By default 0.5 in
            a new study, as published.
        limits: Largest costs by name, which no proposal is above; it needs `search_space`. A number
            limits a cost of `costs`; a `spaces.Limit` has its own. Trials are drawn from the
            probabilities given that the limits are kept, by a dynamic programme, and fairly as far
            as the limits allow (see `migo.limited_sampling`). A parameter that a limit counts has a
            category for each value. A trial's constraints `limit on NAME` say how far its cost is
            from the limit. A parameter or architecture that you fix or enqueue yourself is not
            changed.
        costs: Costs that `limits` names: a `spaces.AdditiveCost`, or a function of a trial's
            parameters. The study stores sums; a function must be given to every process.
            `networks.network_costs` and `SupernetObjective.costs` give those of networks.
        independent_sampler: Sampler of the parameters that are not searched: those outside
            `search_space`, and those that other trials suggested with another range or other
            choices. By default they are drawn uniformly, by seed, generation, seat and name alone.
        warn_independent_sampling: True to warn, once per name, of a parameter that is not
            searched.
        constraints_func: Function that returns the constraint values of a finished trial, as for
            Optuna's own samplers; a trial is feasible if all are at most 0. Every process that
            finishes trials needs the same function. Optuna 5 has deprecated it: call
            `trial.set_constraint` in the objective instead.

    In a study that was already started, the arguments from `population_size` to `momentum` are
    those of the study by default.

    Raises:
        SettingsError: An argument is out of range. `study.ask` raises it too, and the new trial
            fails, if the study was started with other arguments or by another sampler. It is a
            `ValueError`.
    """

    population_class = DistributionPopulation

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        population_size: int | None = None,
        seed: int | None = None,
        fair_sampling: bool | None = None,
        pruning_interval: int | None = None,
        bins: int | None = None,
        step: float | None = None,
        momentum: float | None = None,
        limits: Mapping[str, float | Limit] | None = None,
        costs: Mapping[str, AdditiveCost | CostFunction] | None = None,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        super().__init__(
            MIGOArguments(
                population_size,
                seed,
                search_space,
                fair_sampling=fair_sampling,
                pruning_interval=pruning_interval,
                bins=bins,
                step=step,
                momentum=momentum,
                limits=limits_of(limits, costs),
            ),
            independent_sampler=independent_sampler,
            warn_independent_sampling=warn_independent_sampling,
            constraints_func=constraints_func,
        )
