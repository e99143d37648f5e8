"""Creation of many trials with their parameters in one transaction of a SQL database."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from optuna.distributions import distribution_to_json

from relativenas_optuna.storages.transactions import database_of, persist

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


class TrialRows:
    """Writer of trials that creates all of them in one transaction.

    The rows are those of Optuna's `create_new_trial`. Optuna writes one trial at a time, and
    queries the database twice for every parameter.

    Args:
        storage: SQL storage of Optuna or of this package.

    Raises:
        TypeError: The storage is not a SQL storage, or this release of Optuna keeps trials in
            another way.
    """

    def __init__(self, storage: BaseStorage) -> None:
        database = database_of(storage)
        try:
            from optuna.storages._rdb import models
            from optuna.storages._rdb.storage import _create_scoped_session

            self._tables = [
                model.__table__
                for model in (models.TrialParamModel, models.TrialSystemAttributeModel)
            ]
        except (ImportError, AttributeError) as error:
            raise TypeError("this release of Optuna keeps trials in another way") from error
        self._models, self._session = models, _create_scoped_session
        self._sessions = database.scoped_session
        # A storage of this package checks that its database can hold the distribution.
        self._check_distribution = getattr(database, "check_distribution", lambda *_: None)

    def create(
        self, study_id: int, templates: Sequence[FrozenTrial], *, end: int
    ) -> list[int] | None:
        """Create trials if the study still has exactly `end` trials.

        Args:
            study_id: Id of the study.
            templates: Running or waiting trials with parameters and system attributes.
            end: Number of trials that the study had when it was read.

        Returns:
            The ids of the new trials. None if the study has other new trials; nothing is written
            then.

        Raises:
            ValueError: The database cannot store the parameters: two names differ only by case or
                accents, or a distribution is too long.
        """
        for name, distribution in templates[0].distributions.items() if templates else ():
            self._check_distribution(name, distribution)

        from sqlalchemy.exc import IntegrityError  # loads sqlalchemy, which is there by now

        def attempt() -> list[int]:
            with self._session(self._sessions) as session:
                return self._write(session, study_id, templates, end)

        try:
            return persist(attempt)
        except _MeanwhileError:
            return None
        except IntegrityError as error:
            alike = _alike({name for template in templates for name in template.params})
            if alike is None:
                raise
            raise ValueError(
                f"parameters {alike[0]!r} and {alike[1]!r} cannot both be stored: this database "
                f"ignores case and accents in names. Rename one"
            ) from error

    def _write(
        self, session: Any, study_id: int, templates: Sequence[FrozenTrial], end: int
    ) -> list[int]:
        trial_model = self._models.TrialModel
        # The lock that Optuna takes to number its trials.
        self._models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
        trials: list[Any] = [
            trial_model(
                study_id=study_id,
                number=end + i,
                state=template.state,
                datetime_start=template.datetime_start,
            )
            for i, template in enumerate(templates)
        ]
        session.add_all(trials)
        session.flush()
        ids: list[int] = [trial.trial_id for trial in trials]
        # Counted after SQLite has its lock, which the first row that is written takes.
        there = session.query(trial_model).filter_by(study_id=study_id).count()
        if there != end + len(templates):
            raise _MeanwhileError
        for table, rows in zip(self._tables, _rows(ids, templates), strict=True):
            if rows:
                session.execute(table.insert(), rows)
        return ids


class _MeanwhileError(Exception):
    """Another process created trials since the study was read."""


def _alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two names that differ only by case or accents; None if there are none."""
    plain: dict[str, str] = {}
    for name in sorted(names):
        letters = unicodedata.normalize("NFKD", name.casefold())
        folded = "".join(c for c in letters if not unicodedata.combining(c)).rstrip()
        if folded in plain:
            return plain[folded], name
        plain[folded] = name
    return None


def _rows(
    ids: Sequence[int], templates: Sequence[FrozenTrial]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    written: dict[int, str] = {}  # JSON by the distribution's identity: all templates share them
    params, attributes = [], []
    for trial_id, template in zip(ids, templates, strict=True):
        for name, distribution in template.distributions.items():
            if id(distribution) not in written:
                written[id(distribution)] = distribution_to_json(distribution)
            params.append(
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": distribution.to_internal_repr(template.params[name]),
                    "distribution_json": written[id(distribution)],
                }
            )
        attributes += [
            {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
            for key, value in template.system_attrs.items()
        ]
    return params, attributes
