"""Records of the finals: the shortlist, the scores of each rung, and the work in progress."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

from relativenas_optuna._utils.checked_fields import Count, Finite, Share, check_fields
from relativenas_optuna.samplers.seats.worker import checked_worker
from relativenas_optuna.search.finals.halving import ranking
from relativenas_optuna.search.finals.scores import RungScore
from relativenas_optuna.search.finals.settings import FinalsSettings

FAILURES = 3
"""Failed trainings of an architecture in a rung after which it counts as diverged."""
SHORTLIST = -1
"""Number that stands for the rung of the work to choose architectures for the shortlist."""
SCORE, CHANCE, PREDICTION = CHOSEN_BY = ("shared score", "chance", "prediction")
"""Ways in which an architecture of the shortlist is chosen."""


class Work(NamedTuple):
    """A piece of work for one worker: a training, or the choice of architectures.

    Attributes:
        rung: Number of the rung, from 0; -1 to choose architectures for the shortlist.
        entrant: Number of the architecture in the shortlist; for a choice of architectures, the
            number of architectures before it.
    """

    rung: int
    entrant: int


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """An architecture of the shortlist.

    Attributes:
        genotype: Text of the architecture.
        trial: Number of the best trial that scored it in the search; None if no trial did.
        search_loss: Loss of that trial in nats; None without a trial.
        loss: Validation loss with the final shared weights, in nats, without further training.
        accuracy: Accuracy on the validation images with the final shared weights, 0 to 1.
        parameters: Number of learnt parameters of its network in the finals.
        chosen_by: "shared score" for the score in the search; "chance"; "prediction" for a model
            of the quality.
        most_likely: True for the most likely architecture after a search with the sampler "migo".
    """

    genotype: str
    trial: Count | None
    search_loss: Finite | None
    loss: Finite
    accuracy: Share
    parameters: Count
    chosen_by: Annotated[str, CHOSEN_BY] = SCORE
    most_likely: bool = False


@dataclass(frozen=True, kw_only=True)
class Training:
    """A finished training of one rung.

    Attributes:
        rung: Number of the rung, from 0.
        entrant: Number of the architecture in the shortlist.
        score: Score after the training.
        seconds: Duration of the training in seconds.
    """

    rung: Count
    entrant: Count
    score: RungScore
    seconds: Finite


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A piece of work that a worker is doing, or that failed before.

    Attributes:
        rung: Number of the rung; -1 to choose architectures for the shortlist.
        entrant: Number of the architecture in the shortlist, see `Work`.
        worker: Identity of the worker, see `this_worker`; empty if no worker does the work.
        beats: Signs of life of the worker.
        failures: Number of times that this work failed by an error.

    Raises:
        ValueError: `worker` is no identity of a worker.
    """

    rung: int
    entrant: Count
    worker: dict[str, Any]
    beats: Count = 0
    failures: Count = 0

    def __post_init__(self) -> None:
        checked_worker(self.worker)


@dataclass(frozen=True, kw_only=True)
class FinalsRecord:
    """The state of the finals of a search.

    Attributes:
        generations: Number of generations of the search before the finals.
        settings: Settings of the finals.
        space: Name of the search space.
        sizes: Number of architectures of each rung, the first one of the whole shortlist; empty
            before the first architectures are chosen.
        epochs: Epochs of each rung's trainings.
        entrants: The architectures of the shortlist that are chosen so far.
        random_accuracies: Accuracies of random architectures with the final shared weights, 0 to 1.
        trainings: Finished trainings.
        claims: Work in progress, and work that failed.
        version: Number of changes of this record, so that no two states have the same text.

    Raises:
        ValueError: The attributes contradict each other.
    """

    generations: Count
    settings: FinalsSettings
    space: str
    sizes: tuple[Count, ...] = ()
    epochs: tuple[Count, ...] = ()
    entrants: tuple[Entrant, ...] = ()
    random_accuracies: tuple[Share, ...] = ()
    trainings: tuple[Training, ...] = ()
    claims: tuple[Claimed, ...] = ()
    version: Count = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.sizes) != len(self.epochs) or bool(self.sizes) != bool(self.entrants):
            raise ValueError("sizes, epochs and entrants must belong together")
        if self.sizes and not (
            len(self.entrants) <= self.sizes[0] <= self.settings.shortlist and min(self.sizes) >= 1
        ):
            raise ValueError(
                f"sizes must be positive and start with {len(self.entrants)} to "
                f"{self.settings.shortlist}; got {self.sizes}"
            )
        if any(
            t.entrant >= len(self.entrants) or t.rung >= len(self.sizes) for t in self.trainings
        ):
            raise ValueError("trainings must be of the rungs and entrants")

    @property
    def total(self) -> int:
        """Number of trainings of all rungs; 0 before the first architectures are chosen."""
        return sum(self.sizes)

    @property
    def finished(self) -> bool:
        """True if all trainings are done."""
        return bool(self.sizes) and len(self.trainings) == self.total

    def belongs_to(self, other: FinalsRecord) -> bool:
        """Return True if another record is a state of the same finals."""
        return (self.generations, self.settings) == (other.generations, other.settings)

    def scores(self, rung: int) -> dict[int, RungScore]:
        """Return the scores of a rung so far, by number of the architecture."""
        return {t.entrant: t.score for t in self.trainings if t.rung == rung}

    def members(self, rung: int) -> list[int]:
        """Return the architectures of a rung in the order of the shortlist.

        The list is empty until the rung before is complete. The first rung has the architectures
        that are chosen so far.
        """
        if rung >= len(self.sizes):
            return []
        if rung == 0:
            return list(range(len(self.entrants)))
        if len(self.scores(rung - 1)) < self.sizes[rung - 1]:
            return []
        return sorted(self.ranked(rung - 1)[: self.sizes[rung]])

    def ranked(self, rung: int) -> list[int]:
        """Return the scored architectures of a rung, the best first."""
        parameters = [entrant.parameters for entrant in self.entrants]
        target, first = self.settings.target, self.scores(0)
        return ranking(self.scores(rung), parameters, target=target, first=first)

    def order(self) -> list[int]:
        """Return all scored architectures, those of the last rung first, the best of each first."""
        found: list[int] = []
        for rung in reversed(range(len(self.sizes))):
            found += [entrant for entrant in self.ranked(rung) if entrant not in found]
        return found

    def open_work(self) -> list[Work]:
        """Return the work that can be done now, in the order in which it should be done."""
        for rung in range(len(self.sizes)):
            scored = self.scores(rung)
            left = [Work(rung, entrant) for entrant in self.members(rung) if entrant not in scored]
            if left:
                return left
        complete = bool(self.sizes) and len(self.entrants) == self.sizes[0]
        return [] if complete else [Work(SHORTLIST, len(self.entrants))]

    def claim_of(self, work: Work) -> Claimed | None:
        """Return the claim on a piece of work; None if there is none."""
        return next((c for c in self.claims if (c.rung, c.entrant) == work), None)

    def with_claim(self, claim: Claimed | None, work: Work) -> FinalsRecord:
        """Return this record with another claim on a piece of work; None removes it."""
        others = tuple(c for c in self.claims if (c.rung, c.entrant) != work)
        return replace(self, claims=others if claim is None else (*others, claim))

    def with_training(self, training: Training) -> FinalsRecord:
        """Return this record with a finished training, unless it is in the record already."""
        work = Work(training.rung, training.entrant)
        record = self.with_claim(None, work)
        if training.entrant in self.scores(training.rung):
            return record
        return replace(record, trainings=(*self.trainings, training))
