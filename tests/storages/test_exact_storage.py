"""Names and texts in a database that ignores case: stored to the byte, or refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.exceptions import StoredTextError
from relativenas_optuna.search.studies import study_to_search
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call
from tests.helpers.databases import KINDS, empty_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage

UNIT = FloatDistribution(0, 1)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with empty_database("mysql", tmp_path_factory.mktemp("mysql")) as made:
        yield made


@pytest.fixture
def storage(url: str) -> Iterator[SearchStorage]:
    with storage_at(url, heartbeat_interval=None) as opened:
        yield opened
        for study in opened.get_all_studies():
            opened.delete_study(study._study_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_is_found_by_its_exact_name_alone(kind: str, tmp_path: Path) -> None:
    with (
        empty_database(kind, tmp_path) as made,
        storage_at(made, heartbeat_interval=None) as opened,
    ):
        optuna.create_study(study_name="mine", storage=opened)
        for other in ("Mine", "míne", "mine "):
            with pytest.raises(KeyError):
                optuna.load_study(study_name=other, storage=opened)
        assert optuna.load_study(study_name="mine", storage=opened).study_name == "mine"


def test_a_name_that_the_database_takes_for_another_is_refused(storage: SearchStorage) -> None:
    optuna.create_study(study_name="mine", storage=storage)
    with pytest.raises(StoredTextError, match=r"studies 'mine' and 'Mine' cannot both.*Rename one"):
        optuna.create_study(study_name="Mine", storage=storage, load_if_exists=True)


def test_a_mistaken_search_deletes_nobodys_study(
    url: str, storage: SearchStorage, capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    optuna.create_study(study_name="empty", storage=storage, direction="minimize")
    words = ("--storage", url, "--data", str(folder / "nowhere"))
    for name, said in (("EMPTY", "'empty' and 'EMPTY' cannot both"), ("empty", "nowhere")):
        assert said in call(capfd, "search", "--study", name, *words).line
    assert optuna.get_all_study_names(storage) == ["empty"]


def test_a_study_that_another_process_made_at_the_same_moment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = optuna.load_study

    def overtaken(*, study_name: str, storage: SearchStorage) -> optuna.Study:
        monkeypatch.undo()
        with storage_at(f"sqlite:///{tmp_path / 's.db'}", heartbeat_interval=None) as other:
            try:
                return real(study_name=study_name, storage=storage)
            finally:
                optuna.create_study(study_name=study_name, storage=other)

    with storage_at(f"sqlite:///{tmp_path / 's.db'}", heartbeat_interval=None) as storage:
        monkeypatch.setattr(optuna, "load_study", overtaken)
        with pytest.raises(ValueError, match="mistake"), study_to_search(storage, "s"):
            raise ValueError("mistake")
        assert optuna.get_all_study_names(storage) == ["s"]


def test_parameters_that_differ_by_case_alone_are_named(storage: SearchStorage) -> None:
    study = optuna.create_study(storage=storage, sampler=RelativeNASSampler(seed=0))
    for first, second in (("c", "C"), ("e", "é")):

        def loss(trial: optuna.Trial, names: tuple[str, str] = (first, second)) -> float:
            return sum(trial.suggest_float(name, 0, 1) for name in names)

        with pytest.raises(StoredTextError, match=f"'{first}' and '{second}' cannot both"):
            study.optimize(loss, n_trials=3)
    assert [t.state.name for t in study.trials] == ["FAIL", "FAIL"]


def test_trials_made_with_such_parameters_are_not_made(storage: SearchStorage) -> None:
    sampler = RelativeNASSampler({"c": UNIT, "C": UNIT}, population_size=2, seed=0)
    study = optuna.create_study(storage=storage, sampler=sampler)
    with pytest.raises(ValueError, match="'C' and 'c' cannot both"):
        sampler.ask_generation(study)
    trial = optuna.trial.create_trial(
        value=0, params={"c": 0.5, "C": 0.5}, distributions={"c": UNIT, "C": UNIT}
    )
    with pytest.raises(StoredTextError, match="'c' and 'C' cannot both"):
        study.add_trial(trial)
    assert not study.trials


def test_attributes_that_differ_by_case_alone_do_not_replace_each_other(
    storage: SearchStorage,
) -> None:
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    for owner in (study, trial):
        owner.set_user_attr("loss", 1)
        owner.set_user_attr("loss", 2)
        with pytest.raises(StoredTextError, match="'loss' and 'Loss' cannot both"):
            owner.set_user_attr("Loss", 3)
        assert owner.user_attrs == {"loss": 2}


def test_a_text_too_long_for_its_column_is_refused_before_it_is_written(
    storage: SearchStorage,
) -> None:
    study = optuna.create_study(storage=storage)
    choices = [f"{number}:" + "x" * 1000 for number in range(70)]
    with pytest.raises(StoredTextError, match=r"parameter 'layer'.*7\d{4} bytes.*at most 65535"):
        study.optimize(lambda trial: len(trial.suggest_categorical("layer", choices)), n_trials=2)
    with pytest.raises(StoredTextError, match=r"attribute 'log'.*at most 65535"):
        study.set_user_attr("log", "x" * 70_000)
    with pytest.raises(StoredTextError, match=r"attribute 'fixed_params'.*at most 65535"):
        study.enqueue_trial({"layer": "x" * 70_000})
    space = {"layer": CategoricalDistribution(choices)}
    sampler = RelativeNASSampler(space, population_size=2, seed=0)
    with pytest.raises(StoredTextError, match=r"parameter 'layer'"):
        sampler.ask_generation(optuna.create_study(storage=storage))
    assert [t.state.name for t in study.trials] == ["FAIL"]
    assert not study.user_attrs


def test_a_larger_column_takes_a_longer_text(url: str) -> None:
    choices = [f"{number}:" + "x" * 1000 for number in range(70)]
    with storage_at(url, heartbeat_interval=None) as storage:
        with storage.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE trial_params MODIFY distribution_json LONGTEXT")
        study = optuna.create_study(storage=storage)
        study.optimize(lambda trial: len(trial.suggest_categorical("layer", choices)), n_trials=2)
        assert study.trials[1].params["layer"] in choices
        with storage.engine.connect() as connection:
            storage.delete_study(study._study_id)
            connection.exec_driver_sql("ALTER TABLE trial_params MODIFY distribution_json TEXT")
