"""A SQL storage that keeps names and texts exactly, or raises an error of one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optuna.distributions import distribution_to_json
from optuna.exceptions import DuplicatedStudyError
from optuna.storages._rdb import models
from sqlalchemy import column, func, select, table

from relativenas_optuna.exceptions import StoredTextError
from relativenas_optuna.storages.attribute_storage import AttributeStorage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from sqlalchemy.orm import Session

_EXACT = ("sqlite", "postgresql")  # compare names by their bytes, and take texts of any length
_MYSQL = ("mysql", "mariadb")
_SHORT = 2048  # characters that every column for JSON takes
_COLUMNS = table(
    "columns",
    column("table_schema"),
    column("table_name"),
    column("column_name"),
    column("character_octet_length"),
    schema="information_schema",
)
_WAY_OUT = (
    "this database ignores case and accents in names. Rename one, or use a database with a binary "
    "collation (CREATE DATABASE NAME COLLATE utf8mb4_bin)"
)


class ExactStorage(AttributeStorage):
    """`RDBStorage` that compares names byte by byte and never stores an altered text.

    MySQL and MariaDB ignore case and accents in names by default, and their columns for JSON take
    65,535 bytes. With Optuna's own storage on such a database, `mine` opens the study `Mine`, and
    one of two parameters or attributes with equal names is lost. A server without strict mode cuts
    a long text. This storage raises `StoredTextError` instead, before it writes anything; a study
    whose name differs is not found.
    """

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Create a study.

        Raises:
            DuplicatedStudyError: A study of this name exists.
            StoredTextError: A study exists whose name differs only by case or accents, and the
                database takes both names for equal.
        """
        try:
            return super().create_new_study(directions, study_name)
        except DuplicatedStudyError:
            if study_name is not None and self._ignores_case:
                name = models.StudyModel.study_name
                with self.engine.connect() as connection:
                    there = connection.scalar(select(name).where(name == study_name))
                _check_spelling("studies", there, study_name)
            raise

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the id of the study that has exactly this name.

        Raises:
            KeyError: No study has this name.
        """
        study_id = super().get_study_id_from_name(study_name)
        if self._ignores_case and self.get_study_name_from_id(study_id) != study_name:
            raise KeyError(models.NOT_FOUND_MSG)
        return study_id

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store a user attribute of a study."""
        self._check_study_attribute(models.StudyUserAttributeModel, study_id, key, value)
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Store a system attribute of a study."""
        self._check_study_attribute(models.StudySystemAttributeModel, study_id, key, value)
        super().set_study_system_attr(study_id, key, value)

    def check_distribution(self, param_name: str, distribution: BaseDistribution) -> None:
        """Raise `StoredTextError` if a parameter's distribution is too long for its column."""
        if self.engine.name in _MYSQL:
            text = distribution_to_json(distribution)
            what = f"parameter {param_name!r}: its choices take"
            self._check_length("trial_params", "distribution_json", text, what)

    def _set_trial_param_without_commit(
        self,
        session: Session,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        *others: Any,
        **named: Any,
    ) -> None:
        self.check_distribution(param_name, distribution)
        if self._ignores_case:
            name = models.TrialParamModel.param_name
            own = models.TrialParamModel.trial_id == trial_id
            there = session.scalar(select(name).where(own, name == param_name))
            _check_spelling("parameters", there, param_name)
        super()._set_trial_param_without_commit(
            session, trial_id, param_name, param_value_internal, distribution, *others, **named
        )

    def _set_trial_attr_without_commit(
        self, session: Session, model_cls: Any, trial_id: int, key: str, value: Any
    ) -> None:
        own = model_cls.trial_id == trial_id
        self._check_attribute(session, model_cls, own, key, value)
        super()._set_trial_attr_without_commit(session, model_cls, trial_id, key, value)

    @property
    def _ignores_case(self) -> bool:
        return self.engine.name not in _EXACT

    def _check_study_attribute(self, model: Any, study_id: int, key: str, value: Any) -> None:
        if self._ignores_case:
            with self.scoped_session() as session:
                self._check_attribute(session, model, model.study_id == study_id, key, value)

    def _check_attribute(
        self, session: Session, model: Any, own: Any, key: str, value: Any
    ) -> None:
        if self.engine.name in _MYSQL:
            text = json.dumps(value)
            what = f"attribute {key!r}: it takes"
            self._check_length(model.__tablename__, "value_json", text, what)
        if self._ignores_case:
            there = session.scalar(select(model.key).where(own, model.key == key))
            _check_spelling("attributes", there, key)

    def _check_length(self, table_name: str, column_name: str, text: str, what: str) -> None:
        if len(text) <= _SHORT:
            return
        limit = select(_COLUMNS.c.character_octet_length).where(
            _COLUMNS.c.table_schema == func.database(),
            _COLUMNS.c.table_name == table_name,
            _COLUMNS.c.column_name == column_name,
        )
        with self.engine.connect() as connection:
            most = connection.scalar(limit)
        length = len(text.encode())
        if most is not None and length > most:
            raise StoredTextError(
                f"{what} {length} bytes as JSON, and this database stores at most {most}. Shorten "
                f"it, or enlarge the column (ALTER TABLE {table_name} MODIFY {column_name} "
                f"LONGTEXT)"
            )


def _check_spelling(what: str, there: str | None, name: str) -> None:
    if there is not None and there != name:
        raise StoredTextError(f"{what} {there!r} and {name!r} cannot both be stored: {_WAY_OUT}")
