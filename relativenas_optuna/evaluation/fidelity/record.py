"""Store shared-weight scores and stand-alone scores in a study, and compare them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from optuna.study import StudyDirection

from relativenas_optuna._utils.checked_fields import Count, from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.evaluation.fidelity.rank_correlation import Agreement, agreement
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import study_attribute

if TYPE_CHECKING:
    from collections.abc import Iterable

    import optuna

FIDELITY_ATTRIBUTE = "relative_nas:fidelity"
MOST = 100
"""Largest sample: it is stored in one attribute, which MySQL limits to 65,535 bytes."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Score of an architecture on the validation images.

    Attributes:
        value: The loss, or the metric of the search if it has one; NaN if the training diverged.
        accuracy: Share of images that are classified correctly, 0 to 1.
    """

    value: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An architecture of the sample and its scores so far.

    Attributes:
        text: The architecture in the text form of its space.
        trial: Number of the last trial that scored it; None if no trial did.
        drawn: True if it was drawn at random; False if it was taken from the trials.
        searched: Score of that trial, after one epoch of training from the shared weights of that
            time; None if there is no trial.
        shared: Score with the current shared weights, untrained, with calibrated batch norms; None
            before it is measured.
        standalone: Score after stand-alone training from initial weights; None before it is
            measured.
    """

    text: str
    trial: Count | None = None
    drawn: bool = False
    searched: float | None = None
    shared: Score | None = None
    standalone: Score | None = None


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """Shared-weight scores and stand-alone scores of a sample of architectures.

    Attributes:
        epochs: Number of epochs of the stand-alone training.
        seed: Seed of the sample, the stand-alone training and the intervals.
        weights: Number of commits to the shared weights when the shared scores were measured.
        sample: The architectures; every second one was drawn at random.
    """

    epochs: int
    seed: int
    weights: int
    sample: tuple[Architecture, ...]

    def store(self, study: optuna.Study) -> None:
        """Store the scores as a user attribute of the study, over earlier ones."""
        study.set_user_attr(FIDELITY_ATTRIBUTE, plain(self))

    @classmethod
    def stored_in(cls, study: optuna.Study) -> Fidelity | None:
        """Return the scores that a study holds; None if it holds none.

        Raises:
            SearchError: The attribute of the study cannot be read.
        """
        try:
            data: Any = study_attribute(study, FIDELITY_ATTRIBUTE)
            if data is None:
                return None
            return from_data(cls, data)
        except UNREADABLE as error:
            raise SearchError(
                f"study {study.study_name!r} has an unreadable attribute {FIDELITY_ATTRIBUTE!r} "
                f"({error!r}): measure it --anew"
            ) from error

    @property
    def measured(self) -> tuple[Architecture, ...]:
        """Architectures that have both scores."""
        return tuple(a for a in self.sample if a.shared is not None and a.standalone is not None)

    def with_scores(self, architecture: Architecture) -> Fidelity:
        """Return a copy in which `architecture` replaces the one with the same text."""
        sample = (architecture if a.text == architecture.text else a for a in self.sample)
        return replace(self, sample=tuple(sample))

    def by_value(self, study: optuna.Study) -> Agreement:
        """Return the agreement of shared and stand-alone scores, by the loss or metric.

        Raises:
            ValueError: Fewer than two architectures have both scores.
        """
        return self._agreement(_sign(study), "value", self.measured)

    def by_accuracy(self) -> Agreement:
        """Return the agreement of shared and stand-alone accuracies.

        Raises:
            ValueError: Fewer than two architectures have both scores.
        """
        return self._agreement(-1, "accuracy", self.measured)

    def of(self, study: optuna.Study, *, drawn: bool) -> Agreement | None:
        """Return the agreement within one half of the sample; None if it has fewer than two.

        Args:
            study: The study, for its direction.
            drawn: True for the architectures drawn at random, False for those from trials.
        """
        part = [a for a in self.measured if a.drawn == drawn]
        return self._agreement(_sign(study), "value", part) if len(part) > 1 else None

    def of_search(self, study: optuna.Study) -> Agreement | None:
        """Return the agreement of the trials' scores with stand-alone scores.

        None if fewer than two architectures have both.
        """
        sign = _sign(study)
        searched, standalone = [], []
        for a in self.measured:
            if a.searched is not None and a.standalone is not None:
                searched.append(sign * a.searched)
                standalone.append(sign * a.standalone.value)
        return agreement(searched, standalone, seed=self.seed) if len(standalone) > 1 else None

    def _agreement(self, sign: int, name: str, part: Iterable[Architecture]) -> Agreement:
        pairs = [(sign * getattr(a.shared, name), sign * getattr(a.standalone, name)) for a in part]
        return agreement([p[0] for p in pairs], [p[1] for p in pairs], seed=self.seed)


def _sign(study: optuna.Study) -> int:
    """Return the factor that makes lower values better; the first objective is the score."""
    return -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
