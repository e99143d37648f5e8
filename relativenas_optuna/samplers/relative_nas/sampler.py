"""RelativeNASSampler: slow-fast learning as a sampler of Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.relative_nas.extra_trials import Extras
from relativenas_optuna.samplers.relative_nas.population import Population
from relativenas_optuna.samplers.relative_nas.settings import Arguments
from relativenas_optuna.samplers.seats.sampler import PopulationSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.replay import Replay


class RelativeNASSampler(PopulationSampler):
    """A population in which, pair by pair, the slow learner moves toward the fast one.

    A trial scores one seat of one generation. The seats 2k and 2k + 1 of a generation are a
    pair; the better one is its fast learner, which stays, and the other moves toward it
    (`slow_fast.learn`). With several objectives that is the one that dominates the other, or else
    that which is less crowded by the generation before; constraints (`trial.set_constraint`) come
    first.

    The study is the only state: any process can go on with any study at any moment, and any
    number of processes and threads can search it together. The populations are the same at any
    number of workers; with several, preset "plain" makes extra trials between them, which depend on
    timing. An extra trial is asked for while every seat that can be scored is running. It scores a
    new architecture by all that is known then, and no seat, so that its result never changes the
    population; it counts for `study.best_trial` and for later extra trials.

    A failed trial frees its seat; a seat whose objective failed three times counts as slowest. A
    running trial counts as abandoned once no seat is free and four younger trials for each member
    were made: its seat is then scored by another trial too.

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
            default the sampler learns it: the first generation is drawn at random, and a later one
            searches every parameter that a complete trial of the generations before suggested.
            A parameter that came with several ranges or choices is drawn at random. With a given
            space no generation waits for the first one to be complete, and the random numbers are
            those of the published code.
        population_size: Members per generation, even and at least 2. For a new study 8 with
            preset "plain" and one objective, 20 otherwise. With the former, about half a
            generation can be scored at the same time: further workers score extra trials. With
            many workers a population of twice their number leaves fewer of these.
        seed: From 0 to 2**32 - 1; random for a new study.
        preset: "plain", for an objective whose scores do not drift, as they do with shared weights:
            a fast learner keeps its score, so that a generation after the first one scores
            its slow learners alone, and in a finite space no architecture is proposed that was
            scored two generations before or earlier, while another is left. Parameters that a
            trial did not suggest make no other architecture. With one objective it
            also departs from the paper in this: the first generation covers the values of each
            variable evenly; the slow learner's move is drawn 100 times, with each variable drawn
            anew at a probability of 0.2, and that one is made which a Gaussian process of the
            scores so far expects most of (of the pair's own scores, and of the generations before
            its own, which a pair therefore waits for; what the others of its generation are to
            score counts as known, so that pairs seldom choose the same); a velocity is the way that
            a learner last went; and the best member is scored again from the eighth generation on,
            once, and if its scores differ, further ones while they may have been lucky, ten times
            at most: they count with the mean of their scores (see `trusted_trial`; a population of
            2 does without, and what is not in the search space counts as noise). "paper", the
            algorithm as published: every member is scored anew in every generation. "random", what
            these are to be compared with: every member is drawn anew in every generation, and
            nothing is learned. "plain" for a new study.
        warm_start: Whether the first seats of a new study start from the best complete trials that
            other samplers left in it. With "plain" they have their scores too.
        independent_sampler: Sampler of the parameters that are not searched: those that are not in
            `search_space`, or that other trials suggested with another range or other choices. By
            default they are drawn uniformly, by seed, generation, seat and name alone.
        warn_independent_sampling: True to warn, once per name, of a parameter that is not
            searched.
        constraints_func: Returns the constraint values of a finished trial, as for Optuna's own
            samplers: a trial is feasible if all are at most 0. Every process that finishes trials
            needs the same function. Optuna 5 has deprecated it: call `trial.set_constraint` in the
            objective instead.

    What is `None` of `population_size`, `seed`, `preset` and `warm_start` is what the study was
    begun with.

    Raises:
        SettingsError: A `ValueError`, where an argument is out of range; and when a trial is
            asked for in a study that was begun with other arguments. That trial fails.
    """

    population_class = Population

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        population_size: int | None = None,
        seed: int | None = None,
        preset: str | None = None,
        warm_start: bool | None = None,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        super().__init__(
            Arguments(population_size, seed, search_space, preset, warm_start),
            independent_sampler=independent_sampler,
            warn_independent_sampling=warn_independent_sampling,
            constraints_func=constraints_func,
        )

    def extra_proposals(self, replay: Replay) -> Extras:
        """Return the proposals for a study's extra trials."""
        return Extras(replay)

    def population(self, study: Study) -> Population | None:
        """Return the generations of a study as they are now; None before its first trial.

        Raises:
            SettingsError: Another sampler started the study.
        """
        found = super().population(study)
        if not isinstance(found, Population | None):
            raise SettingsError(
                f"study {study.study_name!r} was started by {found.sampler}, not by "
                f"{type(self).__name__}: use that sampler"
            )
        return found
