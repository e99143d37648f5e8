"""The protocol of population samplers, which seats, workers and views use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from relativenas_optuna.samplers.intervals import decode, interval
from relativenas_optuna.samplers.seats.settings import PopulationSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.seat_score import SeatScore
    from relativenas_optuna.samplers.seats.trial_reader import TrialReader


class Proposal(NamedTuple):
    """An architecture to score.

    Attributes:
        encoding: Encoding of the parameters that are proposed.
        position: `[variables]`; `encoding.decode` gives the parameters.
    """

    encoding: Encoding
    position: NDArray[np.float64]


class Generation(Protocol):
    """One generation of N members, as far as it is known."""

    @property
    def index(self) -> int:
        """Number of the generation, from 0."""

    @property
    def complete(self) -> bool:
        """True if every seat is scored."""

    @property
    def encoding(self) -> Encoding | None:
        """Encoding of the positions; None while the search space is not known."""

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions of the members, `[N, variables]`; NaN while one is not known."""

    @property
    def seat_scores(self) -> Sequence[SeatScore]:
        """The score of each seat, `N` of them."""

    def member(self, seat: int) -> int:
        """Return the number of the member, 0 to N - 1, that a seat scores."""


class Population(ABC):
    """The generations of a search, replayed from the finished trials of its study.

    To write a population sampler, subclass this class, and `PopulationSampler`, which names the
    subclass. Everything else follows from the methods here: any number of workers, restarts, whole
    generations, ask and tell, and the views of a search. A population must depend only on its
    arguments and on the trials given to `add`, in any order, so that each process that reads the
    study sees the same population.

    A subclass is registered by its `sampler`, the name that the claims of its trials carry.

    Args:
        settings: Settings of the search, an object of `settings_class`.
        directions: Directions of the study.
        trials: The trials of the study by number, for a search that starts from some of them.

    Attributes:
        sampler: Name of the sampler's class.
        settings_class: Class of the settings. A claim carries their `to_json()`.
        settings: Settings of the search.
        directions: Directions of the study.
        generations: The generations that are known so far, complete or not.
        makes_extras: True if a trial for which no seat is free is an extra trial, which scores no
            seat. Otherwise it scores again the seat that has been running longest.
        has_pairs: True if seats 2k and 2k + 1 of a generation are pair k, whose members learn
            together. Otherwise `Seat.pair` and `Seat.partner` have no meaning.
    """

    sampler: ClassVar[str]
    settings_class: ClassVar[type[PopulationSettings]] = PopulationSettings
    settings: PopulationSettings
    directions: Sequence[StudyDirection]
    generations: Sequence[Generation]
    makes_extras: bool = False
    has_pairs: ClassVar[bool] = False

    @abstractmethod
    def __init__(
        self,
        settings: Any,
        directions: Sequence[StudyDirection],
        trials: TrialReader | Sequence[FrozenTrial] = (),
    ) -> None: ...

    @property
    def sampler_name(self) -> str:
        """Name of the class of the sampler that proposes the parameters."""
        return self.sampler

    def __init_subclass__(cls) -> None:
        if "sampler" not in vars(cls):
            if hasattr(cls, "sampler"):
                raise TypeError(
                    f"class {cls.__qualname__} must set its own `sampler`: by {cls.sampler!r} its "
                    f"trials would be replayed by the rules of another class"
                )
            return  # a base of others
        known = _CLASSES.setdefault(cls.sampler, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                f"`sampler` of class {cls.__qualname__} must be a name of its own, and "
                f"{cls.sampler!r} is that of {known.__module__}.{known.__qualname__}"
            )
        _CLASSES[cls.sampler] = cls

    @classmethod
    def starting(
        cls,
        settings: PopulationSettings,
        directions: Sequence[StudyDirection],
        trials: TrialReader | Sequence[FrozenTrial],
    ) -> Self:
        """Return the population of a search in which no trial is finished."""
        population = cls(settings, directions, trials)
        population.advance()  # the first generation may start with scores
        return population

    @abstractmethod
    def add(self, trial: FrozenTrial, seat: Seat) -> None:
        """Count in a finished trial of a seat; `advance` follows after the last of several.

        Trials come in any order, and a seat may not exist: anybody may write to a study.
        """

    @abstractmethod
    def advance(self) -> None:
        """Open all generations and seats that the counted trials allow."""

    @abstractmethod
    def open_seats(self) -> Iterable[Seat]:
        """Return the seats that are ready and not scored yet, in the order to give them out."""

    @abstractmethod
    def is_scored(self, seat: Seat) -> bool:
        """Return True if a seat needs no further trial."""

    @abstractmethod
    def counted(self, seat: Seat) -> FrozenTrial | None:
        """Return the trial whose score is the seat's; None without a complete or pruned one."""

    @abstractmethod
    def proposal(self, seat: Seat) -> Proposal | None:
        """Return the architecture to score at a seat; None while it is not known.

        It has no variables while the search space is not known.
        """

    @abstractmethod
    def draw(self, seat: Seat, name: str, distribution: BaseDistribution) -> Any:
        """Return the value at a seat of a parameter that the proposal does not have.

        It must be the same in every process.
        """

    def searches(self, name: str, distribution: BaseDistribution) -> bool:
        """Return True if a parameter outside the proposals will be part of later ones."""
        return False

    def fingerprint(self, seat: Seat) -> str | None:
        """Return a fingerprint of the proposal at an open seat, to be stored with the claim.

        None if the sampler does not need one.
        """
        return None

    def is_space_known(self, seat: Seat) -> bool:
        """Return True if the search space is known for the generation of an open seat."""
        proposal = self.proposal(seat)
        assert proposal is not None
        return bool(proposal.encoding.space) or self.settings.space is not None

    def parameters(self, seat: Seat) -> tuple[dict[str, BaseDistribution], dict[str, Any]]:
        """Return the distributions and the values of all known parameters of an open seat.

        Parameters with a single value are part of a search space that is known beforehand, but
        not of its encoding.
        """
        proposal = self.proposal(seat)
        assert proposal is not None
        return dict(self.settings.space or proposal.encoding.space), self.parameters_at(proposal)

    def parameters_at(self, proposal: Proposal) -> dict[str, Any]:
        """Return the values of all known parameters of a proposal."""
        encoding, position = proposal
        space = self.settings.space or encoding.space
        params = encoding.decode(position)
        for name, distribution in space.items():
            params.setdefault(name, decode(distribution, interval(distribution)[0]))
        return {name: params[name] for name in space}

    def scored_seats(self, generations: int) -> int:
        """Return how many seats of the first `generations` generations are scored."""
        return sum(
            score.scored
            for generation in self.generations[:generations]
            for score in generation.seat_scores
        )


class ExtraProposals(Protocol):
    """Proposals for extra trials, which are asked for while no seat is free."""

    def proposal(self, number: int) -> Proposal:
        """Return the architecture that extra trial `number` scores, the same at each call."""

    def draw(self, number: int, name: str, distribution: BaseDistribution) -> Any:
        """Return the value of a parameter that the proposal does not have."""


_CLASSES: dict[str, type[Population]] = {}  # by the name of the sampler's class


def population_class(sampler: str) -> type[Population] | None:
    """Return the class of a sampler's populations; None if no module that defines it is imported.

    Args:
        sampler: Name of the sampler's class, as claims carry it.
    """
    return _CLASSES.get(sampler)
