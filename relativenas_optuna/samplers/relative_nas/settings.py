"""Settings of a RelativeNAS search, and the arguments that a user gave for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.intervals import is_value_of
from relativenas_optuna.samplers.relative_nas.surrogate.descriptors import Descriptors
from relativenas_optuna.samplers.relative_nas.surrogate.features import Features
from relativenas_optuna.samplers.relative_nas.surrogate.settings import OFF, PLAIN, Screening
from relativenas_optuna.samplers.seats.claims import Claim
from relativenas_optuna.samplers.seats.settings import (
    DEFAULT_POPULATION_SIZE,
    MAX_POPULATION_SIZE,
    PopulationArguments,
    PopulationSettings,
    common_settings,
    is_whole,
    random_seed,
    required,
)
from relativenas_optuna.samplers.trial_losses import best_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.spaces.descriptors import DescriptorFunction

PRESETS = ("plain", "paper", "random")
PLAIN_POPULATION_SIZE = 8  # with one objective, where scores are kept and moves are screened


@dataclass(frozen=True)
class Settings(PopulationSettings):
    """The settings of one search, which its trials carry.

    Attributes:
        population_size: Members per generation, even and at least 2.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        space: Names and distributions of the parameters, in the order of the variables; None
            learns the search space from the trials.
        preset: One of `PRESETS`.
        warm_start: Numbers of the other samplers' trials from which the first seats start; None
            without a warm start.
        screening: Settings of the choice among several moves.
        descriptors: Descriptors that the model of the scores takes as inputs; None without any.
    """

    preset: str = PRESETS[0]
    warm_start: tuple[int, ...] | None = None
    screening: Screening = OFF
    descriptors: Descriptors | None = None

    @property
    def keeps_scores(self) -> bool:
        """True if a fast learner keeps its score, and is not scored anew in each generation."""
        return self.preset == "plain"

    @property
    def avoids_repeats(self) -> bool:
        """True if no architecture is proposed that was scored two generations ago or earlier."""
        return self.preset == "plain"

    @property
    def makes_extras(self) -> bool:
        """True if a trial for which no seat is free is an extra trial."""
        return self.preset == "plain"

    @property
    def learns(self) -> bool:
        """True if slow learners move toward fast ones; False if every member is drawn anew."""
        return self.preset != "random"

    def features(self, encoding: Encoding) -> Features:
        """Return the features of positions for the model of the scores."""
        return Features(encoding, self.descriptors, self.space)

    def describes(self, params: Mapping[str, Any]) -> bool:
        """Return True if parameters include an architecture of the search space.

        With a learned search space it is True for all parameters.
        """
        return all(
            name in params and is_value_of(distribution, params[name])
            for name, distribution in (self.space or {}).items()
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        return super().to_json() | {
            "preset": self.preset,
            "warm_start": None if self.warm_start is None else list(self.warm_start),
            "screening": self.screening.to_json(),
            "descriptors": self.descriptors and list(self.descriptors.names),
        }

    def with_functions(self, given: PopulationArguments | None) -> Settings:
        """Return the settings with the functions that a process was given."""
        settings = super().with_functions(given)
        assert isinstance(settings, Settings)
        function = given.descriptors if isinstance(given, Arguments) else None
        if self.descriptors is None or function is None:
            return settings
        return replace(settings, descriptors=replace(self.descriptors, function=function))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Return the settings in JSON data, which anybody may have written.

        Raises:
            Exception: One of `stored_json.UNREADABLE`: the data are not settings of this sampler.
        """
        values, warm_start = common_settings(data) | required(data, "preset"), data["warm_start"]
        Arguments(**values)
        names = data["descriptors"]
        if names is not None and not (names and all(isinstance(name, str) for name in names)):
            raise SettingsError("descriptors must be names")
        if warm_start is not None and not all(is_whole(n) and n >= 0 for n in warm_start):
            raise SettingsError("warm_start must be numbers of trials")
        return cls(
            **values,
            warm_start=None if warm_start is None else tuple(warm_start),
            screening=Screening(**data["screening"]),
            descriptors=None if names is None else Descriptors(tuple(names)),
        )


@dataclass(frozen=True)
class Arguments(PopulationArguments):
    """Arguments of `RelativeNASSampler`; None takes the setting that the study has.

    Attributes:
        population_size: Members per generation, even and at least 2.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        space: Names and distributions of the parameters.
        preset: One of `PRESETS`.
        warm_start: True to start from the best trials of other samplers.
        screening: Settings of the choice among several moves.
        descriptors: Function from parameters to descriptors by name.
    """

    preset: str | None = None
    warm_start: bool | None = None
    screening: Screening | None = None
    descriptors: DescriptorFunction | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset is not None and self.preset not in PRESETS:
            raise SettingsError(f"preset must be one of {', '.join(PRESETS)}; got {self.preset!r}")
        warm_start: object = self.warm_start
        if not isinstance(warm_start, bool | None):
            raise SettingsError(f"warm_start must be True or False; got {warm_start!r}")
        if self.descriptors is not None:
            self._check_descriptors(self.descriptors)

    def _check_descriptors(self, given: object) -> None:
        if not callable(given):
            raise SettingsError(
                f"descriptors must be a function from parameters to numbers by name, such as "
                f"space_descriptors(space) returns; got {given!r}"
            )
        if self.preset not in (None, "plain"):
            raise SettingsError(
                f"descriptors are inputs of the model of preset 'plain', which preset "
                f"{self.preset!r} does not have: leave descriptors out"
            )
        if self.space is not None:
            Descriptors.of(given, self.space)

    def check_population_size(self, size: object) -> None:
        """Raise `SettingsError` if the size of a population is odd or out of range."""
        if size is not None and (
            not is_whole(size) or size % 2 or not 2 <= size <= MAX_POPULATION_SIZE
        ):
            raise SettingsError(
                f"population_size must be an even number from 2 to {MAX_POPULATION_SIZE}, for "
                f"members learn in pairs; got {size!r}"
            )

    def new_settings(self, study: Study) -> Settings:
        """Return the settings of a search that starts in a study."""
        settings = self.begin(random_seed(), len(study.directions))
        if not self.warm_start:
            return settings
        return replace(settings, warm_start=_best_of_others(study, settings.population_size))

    def begin(self, seed: int, objectives: int = 1) -> Settings:
        """Return the settings of a new search without a warm start.

        Args:
            seed: The seed if the arguments have none.
            objectives: Number of objectives of the study.
        """
        preset = self.preset or PRESETS[0]
        screened = preset == "plain" and objectives == 1
        size = PLAIN_POPULATION_SIZE if screened else DEFAULT_POPULATION_SIZE
        descriptors = None
        if self.descriptors is not None:
            if self.space is None:
                raise SettingsError(
                    "descriptors need the search space, so that they have one scale from the "
                    "start: pass search_space too"
                )
            descriptors = Descriptors.of(self.descriptors, self.space)
        return Settings(
            population_size=self.population_size or size,
            seed=seed if self.seed is None else self.seed,
            space=self.space,
            limits=self.limits,
            preset=preset,
            screening=(self.screening or PLAIN) if screened else OFF,
            descriptors=descriptors,
        )

    def check_agrees_with(self, settings: PopulationSettings, study_name: str) -> None:
        """Raise `SettingsError` if an argument differs from the setting that the study has."""
        super().check_agrees_with(settings, study_name)
        assert isinstance(settings, Settings)
        if self.descriptors is not None:
            given = Descriptors.of(self.descriptors, settings.space or {})
            given.check_same(settings.descriptors, study_name)
        elif settings.descriptors is not None:
            settings.descriptors.check_given(study_name)

    def stored(self, settings: PopulationSettings) -> dict[str, Any]:
        """Return the value of each argument, except the space, by a study's settings."""
        assert isinstance(settings, Settings)
        return super().stored(settings) | {
            "preset": settings.preset,
            "warm_start": settings.warm_start is not None,
        }


def _best_of_others(study: Study, number: int) -> tuple[int, ...]:
    """Return the numbers of the best complete trials of other samplers, at most `number`."""
    trials = [
        trial
        for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if Claim.read(trial.system_attrs) is None
    ]
    return tuple(trial.number for trial in best_first(trials, study.directions)[:number])
