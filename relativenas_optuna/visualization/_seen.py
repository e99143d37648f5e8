"""What all figures of a study are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.study import StudyDirection

from relativenas_optuna.samplers.search_view import SearchView

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    from optuna.trial import FrozenTrial

_SEARCH = "relative_nas:search"  # user attribute of a study that `relativenas search` began
_METRIC_NAMES = "study:metric_names"  # Optuna's system attribute

NO_SEATS = (
    "No trial of this study has a seat in a generation, for RelativeNASSampler did not make them."
)


@dataclass(frozen=True)
class Seen:
    """A study at one moment.

    Attributes:
        trials: All of them, by number; they belong to the storage.
        view: Its generations; `None` where no trial has a seat.
        maximises: Of each objective.
        labels: The name of each objective.
    """

    trials: Sequence[FrozenTrial]
    view: SearchView | None
    maximises: tuple[bool, ...]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, study: optuna.Study) -> Seen:
        """The study as it is now."""
        directions = study.directions
        return cls(
            trials=study.get_trials(deepcopy=False),
            view=SearchView.of(study),
            maximises=tuple(d == StudyDirection.MAXIMIZE for d in directions),
            labels=_labels(study, len(directions)),
        )

    def check(self, objective: int) -> None:
        """Refuse an objective that the study does not have.

        Raises:
            ValueError: It has none of that number.
        """
        count = len(self.labels)
        if type(objective) is not int or not 0 <= objective < count:
            raise ValueError(
                f"objective must be a whole number from 0 to {count - 1}, for the study has "
                f"{count}; got {objective!r}"
            )


def value_of(values: Sequence[float] | None, objective: int) -> float | None:
    """One of a trial's values, where it is a number that can be drawn."""
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
