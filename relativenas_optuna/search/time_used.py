"""The time that a search has used, kept in its study."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, ParamSpec

from relativenas_optuna.storages.study_attributes import study_attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import optuna

    from relativenas_optuna.search.plan import SearchPlan

P = ParamSpec("P")
USED_ATTRIBUTE = "relative_nas:seconds_used"
PASSES_ATTRIBUTE = "relative_nas:finals_passes"
_PAUSE = 2.0  # seconds between two writes


class TimeUsed:
    """The wall time that a search has used, in a user attribute of its study.

    Only the process that leads the search counts: the sum of all its runs, from the start of each
    to its last write. A pause between two runs does not count, nor does the work of other
    processes while none leads.

    Args:
        study: Study of the search.
        leads: True to count and write the time of this process; False to read that of another.
        begun: Value of `time.monotonic` when the run of this process began; None for now.
    """

    def __init__(self, study: optuna.Study, *, leads: bool, begun: float | None = None) -> None:
        self._study, self._leads = study, leads
        self._begun = monotonic() if begun is None else begun
        self._before = self._recorded()
        self._written = -math.inf

    @property
    def seconds(self) -> float:
        """Seconds used so far."""
        if not self._leads:
            return self._recorded()
        return self._before + monotonic() - self._begun

    def write(self, *, now: bool = False) -> None:
        """Write the time to the study, unless it was written in the last two seconds.

        Args:
            now: True to write it in any case.
        """
        if self._leads and (now or monotonic() - self._written >= _PAUSE):
            self._written = monotonic()
            self._study.set_user_attr(USED_ATTRIBUTE, round(self.seconds, 3))

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write the time at the end of a `with` block, also after an error."""
        try:
            yield
        finally:
            with suppress(Exception):  # it must not hide the error of the block
                self.write(now=True)

    def then(self, callback: Callable[P, None]) -> Callable[P, None]:
        """Return a function that writes the time and calls another function."""

        def write_and_call(*args: P.args, **kwargs: P.kwargs) -> None:
            self.write()
            callback(*args, **kwargs)

        return write_and_call

    def _recorded(self) -> float:
        # `user_attrs` of an Optuna study reads the storage.
        return _number(study_attribute(self._study, USED_ATTRIBUTE))


def seconds_used(study: optuna.Study) -> float | None:
    """Return the wall time of a study's search in seconds; None if it was not recorded."""
    return _number(study_attribute(study, USED_ATTRIBUTE)) or None


def stored_passes(study: optuna.Study, generations: int) -> int | None:
    """Return the passes of the finals after a number of generations; None before they begin."""
    stored = study_attribute(study, PASSES_ATTRIBUTE)
    if not isinstance(stored, list) or len(stored) != 2 or stored[0] != generations:
        return None
    return max(1, int(_number(stored[1]))) or None


def store_passes(study: optuna.Study, generations: int, passes: int) -> None:
    """Store the passes of the finals, so that other finals of these generations take as many."""
    study.set_user_attr(PASSES_ATTRIBUTE, [generations, passes])


def without_time(study: optuna.Study, plan: SearchPlan) -> SearchPlan:
    """Return the plan that gives the same search without a time, once its finals have begun."""
    if plan.time is None:
        return plan
    finals = plan.finals
    if finals is not None and finals.passes is None:
        finals = replace(finals, passes=stored_passes(study, plan.settings.generations))
    return replace(plan, time=None, speed=None, finals=finals)


def _number(value: object) -> float:
    """Return a number from an attribute, which anybody may write; 0 for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if number else 0.0  # type: ignore[arg-type]
