"""What a study keeps of shared-weight scores beside scores of training alone."""

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
"""Architectures in a sample: all are in one attribute, of which MySQL takes 65,535 bytes."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good an architecture is on the validation images.

    Attributes:
        value: What the search goes by: the loss, or its metric; NaN where the training diverged.
        accuracy: Share of the images classified right, 0 to 1.
    """

    value: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An architecture of the sample, and its scores so far.

    Attributes:
        text: As the space writes it.
        trial: The last trial of the search that scored it; `None` for one that was drawn at random
            and that the search did not come to.
        drawn: Whether it was drawn at random, not from the trials.
        searched: What that trial scored, after an epoch of its own from the weights of its time.
        shared: With the shared weights, not trained, after its batch norms were calibrated.
        alone: Trained on its own from first weights.
    """

    text: str
    trial: Count | None = None
    drawn: bool = False
    searched: float | None = None
    shared: Score | None = None
    alone: Score | None = None


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """Shared-weight scores of a sample of architectures beside scores of training alone.

    Attributes:
        epochs: For which each was trained alone.
        seed: Of the sample, of the training alone, and of the intervals.
        weights: Number of commits behind the shared weights.
        sample: The architectures; every second one was drawn at random.
    """

    epochs: int
    seed: int
    weights: int
    sample: tuple[Architecture, ...]

    def store(self, study: optuna.Study) -> None:
        """Keep it with its study, over what was there."""
        study.set_user_attr(FIDELITY_ATTRIBUTE, plain(self))

    @classmethod
    def stored_in(cls, study: optuna.Study) -> Fidelity | None:
        """What was measured in a study last, if anything was.

        Raises:
            SearchError: The study's attribute is not what `store` writes.
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
        """Those that have both scores."""
        return tuple(a for a in self.sample if a.shared is not None and a.alone is not None)

    def with_scores(self, architecture: Architecture) -> Fidelity:
        """The same with other scores of one architecture of the sample."""
        sample = (architecture if a.text == architecture.text else a for a in self.sample)
        return replace(self, sample=tuple(sample))

    def by_value(self, study: optuna.Study) -> Agreement:
        """Of the shared scores with those of training alone, by what the search goes by.

        Raises:
            ValueError: Fewer than two architectures have both.
        """
        return self._agreement(_sign(study), "value", self.measured)

    def by_accuracy(self) -> Agreement:
        """The same by the accuracies.

        Raises:
            ValueError: Fewer than two architectures have both.
        """
        return self._agreement(-1, "accuracy", self.measured)

    def of(self, study: optuna.Study, *, drawn: bool) -> Agreement | None:
        """`by_value` within the architectures drawn at random, or from the trials.

        `None` where there are fewer than two.
        """
        part = [a for a in self.measured if a.drawn == drawn]
        return self._agreement(_sign(study), "value", part) if len(part) > 1 else None

    def of_search(self, study: optuna.Study) -> Agreement | None:
        """Of the scores that the search saw; `None` where there are fewer than two."""
        sign = _sign(study)
        searched, alone = [], []
        for a in self.measured:
            if a.searched is not None and a.alone is not None:
                searched.append(sign * a.searched)
                alone.append(sign * a.alone.value)
        return agreement(searched, alone, seed=self.seed) if len(alone) > 1 else None

    def _agreement(self, sign: int, name: str, part: Iterable[Architecture]) -> Agreement:
        pairs = [(sign * getattr(a.shared, name), sign * getattr(a.alone, name)) for a in part]
        return agreement([p[0] for p in pairs], [p[1] for p in pairs], seed=self.seed)


def _sign(study: optuna.Study) -> int:
    """What makes the better value the lower one; a second objective is a cost."""
    return -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
