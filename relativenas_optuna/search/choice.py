"""The final choice of a search, and the best architectures of a study at any time."""

from __future__ import annotations

import statistics
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna._utils.checked_fields import Count, Finite, from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna._utils.lazy import lazy_method
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.records import CHANCE, CHOSEN_BY, PREDICTION, SCORE
from relativenas_optuna.search.finals.scores import RungScore
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.space_genotype import AnyGenotype, genotype_from_text
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import study_attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

T = TypeVar("T")
RESULT_ATTRIBUTE = "relative_nas:result"
FINALISTS = 5
RANDOM_ARCHITECTURES = 20
MOST_LIKELY = "most likely architecture"
WITHOUT_TRIAL = {
    SCORE: MOST_LIKELY,
    CHANCE: "random architecture",
    PREDICTION: "predicted architecture",
}
"""Names of architectures without a trial, by the way in which they were chosen."""


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """One of the best candidates of a search, evaluated again with the final shared weights.

    Attributes:
        trial: Number of the trial that scored the candidate in the search; None if no trial did.
        genotype: Architecture of the candidate.
        search_loss: Validation loss in the search, in nats, after one epoch of training; None
            without a trial.
        loss: Validation loss with the final shared weights, in nats, without further training.
        accuracy: Accuracy on the validation images with the final weights, 0 to 1.
        most_likely: True for the most likely architecture after a search with the sampler "migo".
        finals: Scores of its stand-alone training after each rung of the finals that it took part
            in; none in a search without finals.
        parameters: Number of parameters of its network in the finals; None without finals.
        chosen_by: Way in which it was chosen for the finals: "shared score", "chance", or
            "prediction" by a model of the quality.
    """

    trial: Count | None
    genotype: AnyGenotype
    search_loss: Finite | None
    loss: Finite
    accuracy: Finite
    most_likely: bool = False
    finals: tuple[RungScore, ...] = ()
    parameters: Count | None = None
    chosen_by: Annotated[str, CHOSEN_BY] = SCORE

    @property
    def name(self) -> str:
        """Name for messages, by the trial."""
        return self.ranked.name

    @property
    def ranked(self) -> Ranked:
        """The score with the final weights, and the last one of the finals."""
        return Ranked(
            trial=self.trial,
            loss=self.loss,
            accuracy=self.accuracy,
            most_likely=self.most_likely,
            chosen_by=self.chosen_by,
            standalone=self.finals[-1].accuracy if self.finals else None,
        )

    def __str__(self) -> str:
        return str(self.ranked)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The score of an architecture in a study; `str` gives one line for people.

    Attributes:
        trial: Number of the trial that scored the architecture; the best one if there are several.
            None if no trial did, as for the most likely architecture of the sampler "migo".
        loss: Loss in nats: with the final weights for a finalist, otherwise the trial's loss.
        accuracy: Accuracy of a finalist, 0 to 1; None otherwise.
        most_likely: True for the most likely architecture after a search with the sampler "migo".
        chosen_by: Way in which a finalist was chosen, see `Finalist`.
        standalone: Accuracy of a finalist after its last stand-alone training in the finals, 0 to
            1; None without finals.
    """

    trial: int | None
    loss: float
    accuracy: float | None = None
    most_likely: bool = False
    chosen_by: str = SCORE
    standalone: float | None = None

    @property
    def name(self) -> str:
        """Name for messages, by the trial."""
        if self.trial is None:
            return WITHOUT_TRIAL[SCORE if self.most_likely else self.chosen_by]
        return f"trial {self.trial}{f' ({MOST_LIKELY})' if self.most_likely else ''}"

    def __str__(self) -> str:
        if self.accuracy is None:
            return f"{self.name}: loss {self.loss:.4f} in search"
        shared = f"loss {self.loss:.4f}, accuracy {100 * self.accuracy:.2f} %"
        if self.standalone is None:
            return f"{self.name}: {shared}"
        return (
            f"{self.name}: accuracy {100 * self.standalone:.2f} % trained stand-alone; with shared "
            f"weights {shared}"
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The result of a search: the winner and the other finalists. A notebook draws the winner.

    Attributes:
        finalists: With finals, the shortlist: those that came furthest first, and the winner of the
            last rung at the head. Without finals, the best candidates of the last generation (under
            another sampler than "relativenas": of all generations), the winner first, then by loss.
            Under "migo" the most likely architecture is one of them.
        random_accuracies: Accuracies of random architectures with the final weights, 0 to 1.
        generations: Number of generations before the choice.
        space: Name of the search space.
        finals: Settings of the finals; None for a choice by the shared score alone.
        epochs: Epochs of the trainings of each rung of the finals.
    """

    finalists: tuple[Finalist, ...]
    random_accuracies: tuple[Finite, ...]
    generations: int
    space: str = CELLS
    finals: FinalsSettings | None = None
    epochs: tuple[Count, ...] = ()

    _repr_html_ = lazy_method("search.choice_html", "choice_html")

    @property
    def winner(self) -> Finalist:
        """The winner of the finals.

        Without finals it is the finalist with the lowest loss; under "migo" it is then the most
        likely architecture. The authors of MIGO-NAS choose in this way. The other finalists are the
        best that were drawn, and one of them may have a lower loss.
        """
        return self.finalists[0]

    def is_of(self, plan: SearchPlan) -> bool:
        """Return True if this is the result of a plan, and not of fewer generations before."""
        return self.generations >= plan.settings.generations and self.finals == plan.finals

    @property
    def random_accuracy(self) -> float:
        """Median accuracy of the random architectures."""
        return statistics.median(self.random_accuracies)

    def to_data(self) -> dict[str, Any]:
        """Return the choice as JSON data, with genotypes as text."""
        data: dict[str, Any] = plain(self)
        return data

    def store(self, study: optuna.Study) -> None:
        """Store the choice in a user attribute of the study."""
        study.set_user_attr(RESULT_ATTRIBUTE, self.to_data())

    @classmethod
    def stored_in(cls, study: optuna.Study) -> Choice | None:
        """Return the choice stored in a study; None if its search never ended.

        Raises:
            SearchError: The study's attribute is not what `store` writes.
        """
        try:
            data: Any = study_attribute(study, RESULT_ATTRIBUTE)
            if data is None:
                return None
            space = dict(data).get("space", CELLS)
            finalists = [
                finalist | {"genotype": genotype_from_text(finalist["genotype"], space)}
                for finalist in data["finalists"]
            ]
            choice = from_data(cls, data | {"finalists": finalists})
            _ = choice.winner, choice.random_accuracy  # raise if there are none
        except UNREADABLE as error:
            raise SearchError(
                f"study {study.study_name!r} has an unreadable attribute {RESULT_ATTRIBUTE!r} "
                f"({error!r}): take another --study"
            ) from error
        return choice


def readable_plan(study: optuna.Study) -> SearchPlan | None:
    """Return the plan of a study; warn and return None if it cannot be read."""
    return if_readable(lambda: SearchPlan.stored_in(study))


def readable_choice(study: optuna.Study) -> Choice | None:
    """Return the choice of a study; warn and return None if it cannot be read."""
    return if_readable(lambda: Choice.stored_in(study))


def if_readable(read: Callable[[], T | None]) -> T | None:
    """Return the result of `read`; warn and return None if it raises `SearchError`."""
    try:
        return read()
    except SearchError as error:
        reason = str(error).removesuffix(": take another --study")
        # Always from this line, so that Python shows the warning only once per study.
        warnings.warn(f"{reason}; it is ignored", stacklevel=1)
        return None


def best_architectures(study: optuna.Study, *, for_show: bool = False) -> dict[AnyGenotype, Ranked]:
    """Return the architectures of a study and their scores, the best first.

    The finalists of a finished search come first. All other architectures follow by the lowest loss
    of their trials. If the search is not finished, there are no finalists.

    Args:
        study: The study.
        for_show: True to warn about an unreadable plan or choice and ignore it; False to raise.

    Raises:
        SearchError: The stored plan or choice cannot be read, and `for_show` is False.
        ValueError: No genotype of the trials is an architecture of the search space.
    """
    plan = readable_plan(study) if for_show else SearchPlan.stored_in(study)
    choice = readable_choice(study) if for_show else Choice.stored_in(study)
    if choice is not None and plan is not None and not choice.is_of(plan):
        choice = None  # it was made with weights that have been trained since
    best: dict[AnyGenotype, Ranked] = {}
    if choice is not None:
        best = {finalist.genotype: finalist.ranked for finalist in choice.finalists}
    if study.directions != [StudyDirection.MINIMIZE]:
        return best
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    problem: ValueError | None = None
    for trial in sorted(trials, key=lambda t: (t.value, t.number)):
        text = trial.user_attrs.get("genotype")
        if isinstance(text, str):
            ranked = Ranked(trial=trial.number, loss=trial.values[0])
            try:
                best.setdefault(genotype_from_text(text, plan.space if plan else None), ranked)
            except ValueError as error:
                problem = error
    if problem is not None and not best:
        raise problem
    return best
