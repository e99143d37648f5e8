"""A sampler of Optuna that gives each trial a seat, and the parameters proposed for the seat."""

from __future__ import annotations

import threading
import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from optuna.samplers import BaseSampler
from optuna.samplers._base import _process_constraints_after_trial
from optuna.trial import TrialState

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.intervals import equal
from relativenas_optuna.samplers.seats.claims import Claim
from relativenas_optuna.samplers.seats.proposals import OwnTrial, warn_of_independent_draw
from relativenas_optuna.samplers.seats.seating import Seating
from relativenas_optuna.storages.interruption import failed_on_error, mark_if_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.population import ExtraProposals, Population
    from relativenas_optuna.samplers.seats.replay import Replay
    from relativenas_optuna.samplers.seats.settings import PopulationArguments


class ProposalSampler(BaseSampler):
    """The methods of a `PopulationSampler` that Optuna calls for a trial.

    For the arguments and errors see `PopulationSampler`.

    Attributes:
        population_class: Rules of the search.
    """

    population_class: ClassVar[type[Population]]

    @abstractmethod
    def __init__(
        self,
        arguments: PopulationArguments,
        *,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        if not isinstance(independent_sampler, BaseSampler | None):
            raise SettingsError(
                f"independent_sampler must be a sampler of Optuna's; got {independent_sampler!r}"
            )
        if constraints_func is not None:
            if not callable(constraints_func):
                raise SettingsError(
                    f"constraints_func must be a function of a trial; got {constraints_func!r}"
                )
            warnings.warn(
                "constraints_func is deprecated since Optuna 5.0 and will be removed in Optuna "
                "7.0: call trial.set_constraint in the objective instead",
                FutureWarning,
                stacklevel=3,
            )
        if arguments.space is not None:
            arguments.check_limits()
        self._arguments = arguments
        self._independent_sampler = independent_sampler
        self._warns = warn_independent_sampling
        self._constraints_func = constraints_func
        self._begin_following()

    def extra_proposals(self, replay: Replay) -> ExtraProposals | None:
        """Return the proposals for a study's extra trials; None if the sampler makes none."""
        return None

    def _begin_following(self) -> None:
        # Not pickled: what is missing here is read anew from the storage.
        self._lock = threading.RLock()
        self._seatings: WeakKeyDictionary[BaseStorage, dict[int, Seating]] = WeakKeyDictionary()
        self._warned: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.__dict__.items()
            if name in ("_arguments", "_independent_sampler", "_warns", "_constraints_func")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin_following()

    def reseed_rng(self) -> None:
        """Reseed the independent sampler; this sampler keeps its seed, which the study stores."""
        if self._independent_sampler is not None:
            self._independent_sampler.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Claim a seat, unless the trial has one."""
        with failed_on_error(study, trial):
            with self._lock:
                self._seating(study).take(study, trial, Claim.read(trial.system_attrs))
                # Optuna does not ask for a proposal if all parameters are fixed.
                self._store_constraints(study, trial, {})
            if self._independent_sampler is not None:
                self._independent_sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that the proposal for a trial has."""
        with self._lock:
            seating, own = self._seated(study, trial)
            return dict(seating.proposals.proposal(study, own).encoding.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of the proposal for a trial."""
        if not search_space:
            return {}
        with self._lock:
            seating, own = self._seated(study, trial)
            encoding, position = seating.proposals.proposal(study, own)
            proposed = encoding.decode(position)
            params = {
                name: proposed[name]
                if equal(encoding.space.get(name), distribution)
                else seating.proposals.draw(study, own, name, distribution)
                for name, distribution in search_space.items()
            }
            self._store_constraints(study, trial, params)
            return params

    def _store_constraints(
        self, study: Study, trial: FrozenTrial, params: Mapping[str, Any]
    ) -> None:
        """Store how far the costs of a trial are from the limits, if these parameters decide it."""
        population, attrs = self._seating(study).replay.population, trial.system_attrs
        known = {**params, **attrs.get("fixed_params", {})}
        if population is not None and known:
            for key, value in population.settings.constraint_attributes(known).items():
                if attrs.get(key) != value:
                    study._storage.set_trial_system_attr(trial._trial_id, key, value)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a parameter that the proposal for a trial does not have."""
        with self._lock:
            seating, own = self._seated(study, trial)
            proposals, independent = seating.proposals, self._independent_sampler
            if proposals.population(study).searches(param_name, param_distribution):
                return proposals.draw(study, own, param_name, param_distribution)
            if self._warns and param_name not in self._warned:
                self._warned.add(param_name)
                warn_of_independent_draw(trial, param_name, type(self).__name__, independent)
            if independent is None:
                return proposals.draw(study, own, param_name, param_distribution)
        return independent.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Mark a trial that Ctrl-C ended, and store the values of `constraints_func`."""
        if state == TrialState.FAIL:
            mark_if_interrupted(study._storage, trial._trial_id)
        self._store_constraints(study, trial, trial.params)  # of a PartialFixedSampler too
        if self._constraints_func is not None:
            _process_constraints_after_trial(self._constraints_func, study, trial, state)
        if self._independent_sampler is not None:
            self._independent_sampler.after_trial(study, trial, state, values)

    def _seating(self, study: Study) -> Seating:
        seatings = self._seatings.setdefault(study._storage, {})
        if study._study_id not in seatings:
            seatings[study._study_id] = Seating(
                study, self._arguments, self.population_class, self.extra_proposals
            )
        return seatings[study._study_id]

    def _seated(self, study: Study, trial: FrozenTrial) -> tuple[Seating, OwnTrial]:
        seating, number = self._seating(study), trial.number
        own = seating.replay.own
        if number in own:
            return seating, OwnTrial(number, own[number])
        attrs = study._storage.get_trial_system_attrs(trial._trial_id)
        return seating, OwnTrial(number, seating.take(study, trial, Claim.read(attrs)))
