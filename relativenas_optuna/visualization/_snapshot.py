"""Read a study once, for all its figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.study import StudyDirection

from relativenas_optuna.samplers.search_view import SearchView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.view_records import GenerationView

_SEARCH = "relative_nas:search"  # user attribute of a study that `relativenas search` has made
_METRIC_NAMES = "study:metric_names"  # Optuna's system attribute

NO_SEATS = "No trial of this study has a seat in a generation: another sampler made them."

NO_DISTRIBUTION = "The sampler of this study does not draw its trials from a distribution."


@dataclass(frozen=True)
class StudySnapshot:
    """The trials and generations of a study at one moment.

    Attributes:
        trials: All trials by number; they belong to the storage and must not be changed.
        view: Generations of the search; None if no trial has a seat.
        maximises: For each objective, True if it is maximised.
        labels: Name of each objective.
    """

    trials: Sequence[FrozenTrial]
    view: SearchView | None
    maximises: tuple[bool, ...]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, study: optuna.Study) -> StudySnapshot:
        """Return a snapshot of a study."""
        directions = study.directions
        return cls(
            trials=study.get_trials(deepcopy=False),
            view=SearchView.of(study),
            maximises=tuple(d == StudyDirection.MAXIMIZE for d in directions),
            labels=_labels(study, len(directions)),
        )

    @property
    def generations(self) -> Sequence[GenerationView]:
        """Generations of the search; none if no trial has a seat."""
        return () if self.view is None else self.view.generations

    @property
    def limits(self) -> Mapping[str, float]:
        """Largest cost by the name of the cost, of the limits that the sampler keeps."""
        return {} if self.view is None else self.view.limits

    @property
    def has_pairs(self) -> bool:
        """True if the members of a generation learn in pairs."""
        return any(generation.pairs for generation in self.generations)

    @property
    def has_distribution(self) -> bool:
        """True if the sampler draws its trials from a distribution."""
        return any(generation.marginals for generation in self.generations)

    def check(self, objective: int) -> None:
        """Raise if the study does not have an objective.

        Args:
            objective: Number of the objective, from 0.

        Raises:
            ValueError: The study has no objective of that number.
        """
        count = len(self.labels)
        if type(objective) is not int or not 0 <= objective < count:
            raise ValueError(
                f"objective must be a whole number from 0 to {count - 1}, since the study has "
                f"{count} objective{'s' if count > 1 else ''}; got {objective!r}"
            )


def value_of(values: Sequence[float] | None, objective: int) -> float | None:
    """Return the value of one objective; None if the trial has none or it is not finite."""
    if values is None or not math.isfinite(values[objective]):
        return None
    return values[objective]


def _labels(study: optuna.Study, count: int) -> tuple[str, ...]:
    names = study._storage.get_study_system_attrs(study._study_id).get(_METRIC_NAMES)
    if isinstance(names, list) and len(names) == count:
        return tuple(map(str, names))
    if count > 1:
        return tuple(f"objective {number}" for number in range(count))
    return ("validation loss (nats)" if _SEARCH in study.user_attrs else "objective value",)
