"""Reading a study while threads and processes add trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.storages._cached_storage import _CachedStorage

from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.samplers.seats.trial_reader import TrialReader
from tests.helpers.samplers.rival_storage import RivalStorage
from tests.helpers.samplers.searches import SPACE, ask, new_sampler, tell
from tests.samplers.conftest import database

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.storages import BaseStorage


@pytest.mark.parametrize("own", [1, 2, 3])
def test_a_trial_behind_a_gap_is_left_for_the_next_read(own: int, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as opened, database(url) as others:
        study = optuna.create_study(storage=opened, study_name="s", sampler=new_sampler(SPACE))
        other = optuna.load_study(storage=others, study_name="s")
        ask(study)
        other.ask()
        for _ in range(own):  # other threads of this process
            study._storage.create_new_trial(study._study_id)
        reader = TrialReader(study, fresh=False)
        assert reader.cut(1) in (1, 2 + own)  # 1: without the gap; or all were read anew
        found = [trial.number for trial in reader.all()]
        assert found == list(range(len(reader)))
        reader = TrialReader(study)
        study._storage.create_new_trial(study._study_id)
        assert reader.cut(1) in (2 + own, 3 + own)
        assert TrialReader(study).cut(0) == 3 + own


def test_trials_added_during_a_read_are_read_whole_or_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as opened, database(url) as others:
        study = optuna.create_study(storage=opened, study_name="s", sampler=new_sampler(SPACE))
        other = optuna.load_study(storage=others, study_name="s")
        ask(study)
        reader = TrialReader(study)
        other.ask()
        study._storage.create_new_trial(study._study_id)
        assert reader.cut(0) == 1
        assert [trial.number for trial in reader.all()] == [0]


@pytest.mark.parametrize("known", [True, False], ids=["this release", "another release"])
def test_the_reader_gives_the_trials_of_get_all_trials(
    storage: BaseStorage, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    try:
        for number in range(6):
            trial, _ = ask(study)
            if number % 2:
                tell(study, trial)
            if not known:
                forget_once(study._storage, monkeypatch)
            for fresh in (True, False):
                reader = TrialReader(study, fresh=fresh)
                given = study._storage.get_all_trials(study._study_id, deepcopy=False)
                assert list(reader.all()) == given
                assert [reader[n] for n in range(len(reader))] == given
    finally:
        optuna.delete_study(study_name=study.study_name, storage=storage)


def forget_once(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the collections of Optuna, as another release may do."""
    if isinstance(storage, InMemoryStorage):
        storage._studies = Forgetful(storage._studies)
    if not isinstance(storage, _CachedStorage):
        return
    read = storage._read_trials_from_remote_storage
    calls = []

    def missing(study_id: int) -> None:
        calls.append(study_id)
        if len(calls) == 1:
            raise AttributeError("_read_trials_from_remote_storage")
        read(study_id)

    monkeypatch.setattr(storage, "_read_trials_from_remote_storage", missing)


class Forgetful(dict[int, Any]):
    """A dictionary whose first look fails."""

    looks = 0

    def __getitem__(self, key: int) -> Any:
        self.looks += 1
        if self.looks == 1:
            raise KeyError(key)
        return super().__getitem__(key)


def test_a_trial_gives_way_to_a_lower_number_that_just_scored() -> None:
    storage = RivalStorage()
    storage.finishes = True
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    assert ask(study)[1] == Seat(0, 0)
    storage.rival = storage.create_new_trial(study._study_id)
    # Behind one arriving trial the second free seat is taken: the rival's.
    assert ask(study)[1] in (Seat(0, 1), Seat(0, 3))
