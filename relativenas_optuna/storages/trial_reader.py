"""Fast reader of trials from the tables of Optuna's SQL storage."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from optuna.distributions import json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import or_, select

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from optuna.distributions import BaseDistribution
    from optuna.trial import TrialState
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    # Puts the value of an attribute into a dictionary, by its key and JSON text.
    ReadAttribute = Callable[[dict[str, Any], str, object], None]

_Trial = models.TrialModel
_COLUMNS = {
    models.TrialParamModel: ("param_name", "param_value", "distribution_json"),
    models.TrialValueModel: ("objective", "value", "value_type"),
    models.TrialUserAttributeModel: ("key", "value_json"),
    models.TrialSystemAttributeModel: ("key", "value_json"),
    models.TrialIntermediateValueModel: (
        "step",
        "intermediate_value",
        "intermediate_value_type",
    ),
}
_TRIAL_COLUMNS = ("trial_id", "number", "state", "_datetime_start_utc", "_datetime_complete_utc")
# True if this release of Optuna has the tables that are read here.
CAN_READ = all(
    hasattr(model, column)
    for model, columns in {_Trial: _TRIAL_COLUMNS, **_COLUMNS}.items()
    for column in columns
)


def read_trials(
    session: Session,
    study_id: int,
    read_attribute: ReadAttribute,
    *,
    states: Iterable[TrialState] | None,
    included: Collection[int],
    later_than: int,
) -> list[FrozenTrial]:
    """Return the same trials as Optuna's storage, much faster.

    Optuna creates an object for every row, and parses the JSON of every parameter's distribution
    twice. It does that for all running trials at each `study.ask`, and once for all trials of the
    study.

    Args:
        session: Session of the database.
        study_id: Id of the study.
        read_attribute: Function that puts an attribute's value into a dict; it may leave out one
            that it cannot read.
        states: States of the trials to return; None for all states.
        included: Ids of further trials to return, up to `later_than`.
        later_than: Trials with higher ids than this one are returned; -1 for all trials.

    Returns:
        The trials in the order of their ids.
    """
    wanted = [_Trial.study_id == study_id]
    if states is not None:
        wanted.append(_Trial.state.in_(list(states)))
    if later_than >= 0:
        later = _Trial.trial_id > later_than
        wanted.append(or_(later, _Trial.trial_id.in_(included)) if included else later)
    return _read(session, wanted, read_attribute)


def read_trial(
    session: Session, trial_id: int, read_attribute: ReadAttribute
) -> FrozenTrial | None:
    """Return one trial as `read_trials` does; None if it does not exist."""
    return next(iter(_read(session, [_Trial.trial_id == trial_id], read_attribute)), None)


def _read(
    session: Session, wanted: list[ColumnElement[bool]], read_attribute: ReadAttribute
) -> list[FrozenTrial]:
    rows = session.execute(
        select(*(getattr(_Trial, column) for column in _TRIAL_COLUMNS))
        .where(*wanted)
        .order_by(_Trial.trial_id)
    )
    trials = {
        row[0]: FrozenTrial(
            trial_id=row[0],
            number=row[1],
            state=row[2],
            value=None,
            values=None,
            datetime_start=_local(row[3]),
            datetime_complete=_local(row[4]),
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        for row in rows
    }
    if not trials:
        return []
    _fill(session, wanted, trials, read_attribute)
    return list(trials.values())


def _fill(
    session: Session,
    wanted: list[ColumnElement[bool]],
    trials: dict[int, FrozenTrial],
    read_attribute: ReadAttribute,
) -> None:
    def rows(model: Any) -> Any:
        named = [getattr(model, column) for column in ("trial_id", *_COLUMNS[model])]
        key = next(iter(model.__table__.primary_key))
        statement = select(*named).join(_Trial, _Trial.trial_id == model.trial_id)
        # A trial that was created after the first statement is left for the next reading.
        found = session.execute(statement.where(*wanted).order_by(key))
        return ((trials[row[0]], *row[1:]) for row in found if row[0] in trials)

    for trial, name, value, text in rows(models.TrialParamModel):
        distribution = _distribution(text)
        trial.distributions[name] = distribution
        trial.params[name] = distribution.to_external_repr(value)
    stored = models.TrialValueModel
    values: dict[int, dict[int, float]] = {}
    for trial, objective, value, kind in rows(stored):
        of_trial = values.setdefault(trial._trial_id, {})
        of_trial[objective] = stored.stored_repr_to_value(value, kind)
    for trial_id, by_objective in values.items():
        trials[trial_id].values = [by_objective[i] for i in range(len(by_objective))]
    for trial, key, text in rows(models.TrialUserAttributeModel):
        read_attribute(trial.user_attrs, key, text)
    for trial, key, text in rows(models.TrialSystemAttributeModel):
        read_attribute(trial.system_attrs, key, text)
    report = models.TrialIntermediateValueModel
    for trial, step, value, kind in rows(report):
        trial.intermediate_values[step] = report.stored_repr_to_intermediate_value(value, kind)


def _local(utc: datetime | None) -> datetime | None:
    """Convert a time of the database to local time without a zone, as Optuna shows it.

    Unlike Optuna's, the result has a `fold`, which tells apart the two equal hours at the end of
    summer time.
    """
    return None if utc is None else datetime.fromtimestamp(utc.replace(tzinfo=UTC).timestamp())


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)
