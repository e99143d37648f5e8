"""A SQL storage that leaves out attributes that it cannot read."""

from __future__ import annotations

import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study._frozen import FrozenStudy
from sqlalchemy import select

from relativenas_optuna.storages.stored_json import read_json

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class AttributeStorage(RDBStorage):
    """`RDBStorage` that leaves out attributes that are not readable JSON, with one warning each.

    Anybody who may write to the database may store any text as an attribute. With Optuna's own
    storage, one unreadable attribute makes every read of the whole study raise an exception.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        self._unreadable: set[str] = set()
        super().__init__(*args, **named)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the readable user attributes of a study."""
        return self._attributes(models.StudyUserAttributeModel, study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the readable system attributes of a study."""
        return self._attributes(models.StudySystemAttributeModel, study_id)

    def get_trial_user_attrs(self, trial_id: int) -> dict[str, Any]:
        """Return the readable user attributes of a trial."""
        return self._attributes(models.TrialUserAttributeModel, trial_id)

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Return the readable system attributes of a trial."""
        return self._attributes(models.TrialSystemAttributeModel, trial_id)

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies, with their readable attributes."""
        study, direction = models.StudyModel, models.StudyDirectionModel
        with _create_scoped_session(self.scoped_session) as session:
            found = session.execute(
                select(study.study_id, study.study_name).order_by(study.study_id)
            ).all()
            directions = defaultdict(list)
            for study_id, one in session.execute(
                select(direction.study_id, direction.direction).order_by(direction.objective)
            ):
                directions[study_id].append(one)
            user = self._by_study(session, models.StudyUserAttributeModel)
            system = self._by_study(session, models.StudySystemAttributeModel)
        return [
            FrozenStudy(
                study_name=name,
                direction=None,
                directions=directions[study_id],
                user_attrs=user[study_id],
                system_attrs=system[study_id],
                study_id=study_id,
            )
            for study_id, name in found
        ]

    def read_attribute(self, into: dict[str, Any], key: str, text: object) -> None:
        """Put the value of an attribute into a dictionary; warn once if it cannot be read."""
        try:
            into[key] = read_json(text)
        except ValueError as error:
            if key not in self._unreadable:
                self._unreadable.add(key)
                reason = " ".join(str(error).split())
                warnings.warn(
                    f"attribute {key!r} in the database holds no readable JSON ({reason}); it is "
                    f"ignored",
                    stacklevel=2,
                )

    def _attributes(self, model: Any, owner_id: int) -> dict[str, Any]:
        of_trial = hasattr(model, "trial_id")
        owner, own = (
            (models.TrialModel, model.trial_id) if of_trial else (models.StudyModel, model.study_id)
        )
        found: dict[str, Any] = {}
        with _create_scoped_session(self.scoped_session) as session:
            owner.find_or_raise_by_id(owner_id, session)
            for key, text in session.execute(
                select(model.key, model.value_json).where(own == owner_id)
            ):
                self.read_attribute(found, key, text)
        return found

    def _by_study(self, session: Session, model: Any) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = defaultdict(dict)
        for study_id, key, text in session.execute(
            select(model.study_id, model.key, model.value_json)
        ):
            self.read_attribute(found[study_id], key, text)
        return found
