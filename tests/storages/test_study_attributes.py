"""Attributes of a study that are written together, by who knows one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.study_attributes import StudyRows
from tests.helpers.databases import KINDS, empty_database

if TYPE_CHECKING:
    from pathlib import Path

    from relativenas_optuna.storages.study_attributes import Kind


@pytest.mark.parametrize("database", KINDS)
def test_attributes_are_written_and_removed_with_the_one_that_counts(
    database: str, tmp_path: Path
) -> None:
    with empty_database(database, tmp_path) as url, storage_at(url) as storage:
        study = optuna.create_study(storage=storage)
        many = {f"k{n}": json.dumps("x" * 2000 + "'\"\\%s:s") for n in range(900)}
        kind: Kind = "system"
        rows = StudyRows(study, kind)
        assert rows.advance("turn", None, "1", beside=many)
        attrs = storage.get_study_system_attrs(study._study_id)
        assert attrs == {key: json.loads(text) for key, text in many.items()} | {"turn": 1}
        assert not rows.advance("turn", "7", "2", beside={"k0": None})
        assert rows.advance("turn", "1", "2", beside={"k0": None, "k1": "[]", "new": "{}"})
        attrs = storage.get_study_system_attrs(study._study_id)
        assert "k0" not in attrs
        assert (attrs["k1"], attrs["new"], attrs["turn"], len(attrs)) == ([], {}, 2, 901)
        assert storage.get_study_user_attrs(study._study_id) == {}
        optuna.delete_study(study_name=study.study_name, storage=storage)
        with pytest.raises(KeyError, match="was deleted"):
            rows.advance("turn", None, "3")


def test_a_study_in_no_database_has_no_rows() -> None:
    with pytest.raises(TypeError, match="no SQL storage"):
        StudyRows(optuna.create_study(), "system")
