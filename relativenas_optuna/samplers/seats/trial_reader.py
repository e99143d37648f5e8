"""Read new trials of a study without listing the known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.storages import InMemoryStorage
from optuna.storages._cached_storage import _CachedStorage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import optuna
    from optuna.trial import FrozenTrial

    Trials = Sequence[FrozenTrial] | Mapping[int, FrozenTrial]


class TrialReader:
    """The trials of a study by number, at one moment.

    `get_all_trials` lists all trials, and on a database sorts them. With 100,000 trials that takes
    longer than the rest of `study.ask`. So the trials are taken from the collections of Optuna's
    own two storage classes if these have them, and from `get_all_trials` otherwise.

    Args:
        study: The study.
        fresh: True to read the database now. False takes the trials that this process read last;
            `study.ask` read them a moment ago, before it created its trial.
    """

    def __init__(self, study: optuna.Study, *, fresh: bool = True) -> None:
        self._trials: Trials = _own_collection(study, fresh=fresh) or study._storage.get_all_trials(
            study._study_id, deepcopy=False
        )
        self._count = len(self._trials)  # other threads add to them

    def cut(self, known: int) -> int:
        """Leave out the trials behind a gap in the numbers.

        This process sees its own new trials at once, and older ones of other processes later.

        Args:
            known: Number of trials that certainly have no gap.

        Returns:
            The number of trials that are left.
        """
        end = min(known, self._count)
        if isinstance(self._trials, dict):
            while end in self._trials:
                end += 1
            self._count = end
        return self._count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return number in self._trials if isinstance(self._trials, dict) else number < self._count

    def __getitem__(self, number: int) -> FrozenTrial:
        return self._trials[number]

    def all(self) -> Iterable[FrozenTrial]:
        """Return all trials in the order of their numbers."""
        return (self._trials[number] for number in range(self._count))


def _own_collection(study: optuna.Study, *, fresh: bool) -> Trials | None:
    storage, study_id = study._storage, study._study_id
    try:
        if type(storage) is InMemoryStorage:
            return storage._studies[study_id].trials
        if type(storage) is _CachedStorage:
            if fresh:
                storage._read_trials_from_remote_storage(study_id)
            return storage._studies[study_id].trials
    except (AttributeError, KeyError):  # another release of Optuna, or a study that is gone
        return None
    return None
