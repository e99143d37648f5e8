"""Reads what is new among a study's trials, without listing those that are known."""

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
    """A study's trials by number, as they stand at one moment.

    `get_all_trials` makes a list, and on a database sorts it, of all trials there are: at 100,000
    that is more than all the rest of asking. So Optuna's own two collections are looked into where
    they are what they were; anything else is read by `get_all_trials`.

    Args:
        study: The study.
        fresh: Whether to read the database now. Otherwise what this process read last will do; for
            `study.ask` that was a moment ago, before it made its trial.
    """

    def __init__(self, study: optuna.Study, *, fresh: bool = True) -> None:
        self._trials: Trials = _own_collection(study, fresh=fresh) or study._storage.get_all_trials(
            study._study_id, deepcopy=False
        )
        self._count = len(self._trials)  # other threads add to them

    def cut(self, known: int) -> int:
        """Leave the trials behind a gap for the next reading; returns how many there are now.

        This process's new trials are there at once, before those that others made before them.

        Args:
            known: How many there are at least, without a gap.
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
        """Every trial, in the order of their numbers."""
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
