"""RelativeNASSampler: slow-fast learning as a sampler of Optuna."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna.samplers import BaseSampler
from optuna.samplers._base import _process_constraints_after_trial
from optuna.trial import Trial, TrialState

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.intervals import equal
from relativenas_optuna.samplers.relative_nas.proposals import (
    OwnTrial,
    draw,
    proposal_of,
    warn_of_independent_draw,
    will_be_learned,
)
from relativenas_optuna.samplers.relative_nas.settings import Arguments
from relativenas_optuna.samplers.seats.batch import Batch, running_trials
from relativenas_optuna.samplers.seats.claims import Claim
from relativenas_optuna.samplers.seats.seating import Seating
from relativenas_optuna.storages.interruption import failed_on_error, mark_if_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.relative_nas.population import Population


class RelativeNASSampler(BaseSampler):
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
        space = dict(search_space) if isinstance(search_space, Mapping) else search_space
        # NumPy's whole numbers are taken too, but would not travel as JSON.
        if isinstance(population_size, np.integer):
            population_size = int(population_size)
        if isinstance(seed, np.integer):
            seed = int(seed)
        if not isinstance(independent_sampler, BaseSampler | None):
            raise SettingsError(
                f"independent_sampler must be a sampler of Optuna's; got {independent_sampler!r}"
            )
        self._asked = Arguments(population_size, seed, preset, space, warm_start)
        self._independent_sampler = independent_sampler
        self._warns = warn_independent_sampling
        if constraints_func is not None:
            if not callable(constraints_func):
                raise SettingsError(
                    f"constraints_func must be a function of a trial; got {constraints_func!r}"
                )
            warnings.warn(
                "constraints_func is deprecated since Optuna 5.0 and will be removed in Optuna "
                "7.0: call trial.set_constraint in the objective instead",
                FutureWarning,
                stacklevel=2,
            )
        self._constraints_func = constraints_func
        self._begin_following()

    def _begin_following(self) -> None:
        # Nothing in here outlives the object: it is read anew from the storage where it is missing.
        self._lock = threading.RLock()
        self._seatings: WeakKeyDictionary[BaseStorage, dict[int, Seating]] = WeakKeyDictionary()
        self._warned: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.__dict__.items()
            if name in ("_asked", "_independent_sampler", "_warns", "_constraints_func")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin_following()

    def reseed_rng(self) -> None:
        """Nothing for this sampler, whose draws are keyed; the independent one's is reseeded."""
        if self._independent_sampler is not None:
            self._independent_sampler.reseed_rng()

    def population(self, study: Study) -> Population | None:
        """The generations of a study as they stand now; `None` before its first trial."""
        with self._lock:
            replay = self._seating(study).replay
            replay.update(study)
            return replay.population

    def ask_generation(self, study: Study, *, detached: bool = False) -> list[Trial]:
        """Running trials for all free seats of the next generation, to be scored together.

        That is the lowest generation which has free seats; the list is empty where every seat that
        can be scored is running. They are made with their parameters, on a SQL database in one
        transaction, and told by `study.tell`, in any order and by any process. They have all
        parameters of the search space, conditional ones included. A parameter outside the space is
        drawn by `study.sampler` when it is suggested, which therefore should be this one. What a
        `PartialFixedSampler` around it fixes is not fixed here.

        Args:
            study: The study.
            detached: Whether the trials outlive this process, for another one to tell them. What
                is not detached is failed, and its seat given out again, when this process is gone.

        Raises:
            SettingsError: The study was begun with other arguments.
        """
        return self._ask(study, detached=detached)

    def ask_pair(self, study: Study, *, generations: int | None = None) -> list[Trial]:
        """Running trials for the free seats of one pair: two, or one where only one is free.

        What a worker takes that scores a pair with weights of its own. The list is empty where
        every seat that can be scored is running. See `ask_generation`.

        Args:
            study: The study.
            generations: How many are to be scored; `None` for no end.

        Raises:
            SettingsError: The study was begun with other arguments.
        """
        return self._ask(study, pair=True, generations=generations)

    def _ask(self, study: Study, *, detached: bool = False, **options: Any) -> list[Trial]:
        with self._lock:
            seating = self._seating(study)
            batch = Batch(study, seating, TrialState.RUNNING, detached=detached, **options)
            made = sorted(batch.create(), key=lambda trial: trial.seat)
            for number, trial_id, seat in made:
                seating.runs(number, trial_id, seat, leased=not detached)
            return running_trials(study, made)

    def enqueue_generation(self, study: Study) -> list[int]:
        """Waiting trials for all free seats of the next generation, for workers to pop.

        Workers need not know this sampler: `study.optimize` and `study.ask` of any process, and
        `optuna ask`, take waiting trials first, each of them once.

        Returns:
            The trials' numbers; see `ask_generation` for when there are none.

        Raises:
            SettingsError: The search space is not known, since it was not given and the first
                generation is not complete; or the study was begun with other arguments.
        """
        with self._lock:
            batch = Batch(study, self._seating(study), TrialState.WAITING, detached=True)
            return [number for number, _, _ in batch.create()]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Claim a seat, unless the trial has one."""
        with failed_on_error(study, trial):
            with self._lock:
                self._seating(study).take(study, trial, Claim.read(trial.system_attrs))
            if self._independent_sampler is not None:
                self._independent_sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters that the seat's position has variables for."""
        with self._lock:
            seating, own = self._seated(study, trial)
            encoding, _ = proposal_of(study, seating, own)
            return dict(encoding.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters that the seat's position decodes to."""
        if not search_space:
            return {}
        with self._lock:
            seating, own = self._seated(study, trial)
            encoding, position = proposal_of(study, seating, own)
            proposed = encoding.decode(position)
            return {
                name: proposed[name]
                if equal(encoding.space.get(name), distribution)
                else draw(study, seating, own, name, distribution)
                for name, distribution in search_space.items()
            }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A parameter that the seat's position has no variable for."""
        with self._lock:
            seating, own = self._seated(study, trial)
            if will_be_learned(study, seating, param_name, param_distribution):
                return draw(study, seating, own, param_name, param_distribution)
            if self._warns and param_name not in self._warned:
                self._warned.add(param_name)
                warn_of_independent_draw(trial, param_name, self._independent_sampler)
            if self._independent_sampler is None:
                return draw(study, seating, own, param_name, param_distribution)
        return self._independent_sampler.sample_independent(
            study, trial, param_name, param_distribution
        )

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Mark what Ctrl-C ended, and store the values of `constraints_func`.

        The independent sampler may learn from the trial.
        """
        if state == TrialState.FAIL:
            mark_if_interrupted(study._storage, trial._trial_id)
        if self._constraints_func is not None:
            _process_constraints_after_trial(self._constraints_func, study, trial, state)
        if self._independent_sampler is not None:
            self._independent_sampler.after_trial(study, trial, state, values)

    def _seating(self, study: Study) -> Seating:
        seatings = self._seatings.setdefault(study._storage, {})
        if study._study_id not in seatings:
            seatings[study._study_id] = Seating(study, self._asked)
        return seatings[study._study_id]

    def _seated(self, study: Study, trial: FrozenTrial) -> tuple[Seating, OwnTrial]:
        seating, number = self._seating(study), trial.number
        own = seating.replay.own
        if number in own:
            return seating, OwnTrial(number, own[number])
        attrs = study._storage.get_trial_system_attrs(trial._trial_id)
        return seating, OwnTrial(number, seating.take(study, trial, Claim.read(attrs)))
