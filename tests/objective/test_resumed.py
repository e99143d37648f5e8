from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import Genotype
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.tiny_search import (
    SEATS,
    SEED,
    Scoring,
    database,
    kept_in,
    objective,
    positions,
    same_bits,
    scores,
    study,
)


def resumed(folder: Path, **options: Any) -> Scoring:
    return objective(checkpoint=kept_in(folder), **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the checkpoint of a search that ended between the learners of a pair."""
    study().optimize(resumed(tmp_path / "out"), n_trials=3)
    return tmp_path / "out"


# --- going on


def test_a_search_begun_anew_at_every_trial_is_the_undisturbed_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    for _ in range(SEATS):
        with database(url) as storage:
            found = study(storage=storage, study_name="s", load_if_exists=True)
            found.optimize(resumed(tmp_path / "out"), n_trials=1)
    undisturbed, other = objective(), study()
    other.optimize(undisturbed, n_trials=SEATS)
    with database(url) as storage:
        found = study(storage=storage, study_name="s", load_if_exists=True)
        assert scores(found) == scores(other)
        assert positions(found) == positions(other)
    ended = resumed(tmp_path / "out")
    assert same_bits(ended.weights.snapshot(), undisturbed.weights.snapshot())
    assert ended.weights.version == undisturbed.weights.version == SEATS // 2
    assert not ended.waiting


class Lost(Exception):
    """The study did not get the score."""


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_score_that_the_study_did_not_get_is_given_again_without_training(
    lost: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = study()
    if lost:
        found.optimize(resumed(tmp_path), n_trials=lost)

    def fail(trial: optuna.Trial, key: str, _value: object) -> None:
        if key == "accuracy":
            raise Lost

    scoring = resumed(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(optuna.Trial, "set_user_attr", fail)
        with pytest.raises(Lost):
            found.optimize(scoring, n_trials=1)
    assert found.trials[-1].system_attrs[INTERRUPTED_KEY]
    scoring = resumed(tmp_path)
    before = scoring.weights.snapshot()
    found.optimize(scoring, n_trials=1)
    assert found.trials[-1].user_attrs["seconds_train"] == 0
    assert same_bits(scoring.weights.snapshot(), before)
    found.optimize(scoring, n_trials=7 - lost)
    undisturbed, other = objective(), study()
    other.optimize(undisturbed, n_trials=8)
    assert scores(found) == scores(other)
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())


def failing_at(seat: Seat, scoring: Scoring) -> Scoring:
    """Return an objective in which the architecture of one seat cannot be trained."""
    train = scoring._trainer.train

    def refused(genotype: Genotype, place: Seat, **options: Any) -> Any:
        if place == seat:
            raise RuntimeError
        return train(genotype, place, **options)

    scoring._trainer.train = refused  # type: ignore[method-assign]
    return scoring


@pytest.mark.slow
def test_a_wait_for_a_partner_that_failed_for_good_survives_a_restart(tmp_path: Path) -> None:
    lost = Seat(2, 2)
    trials = SEATS - 1 + 3  # which are those of the lost seat
    undisturbed = failing_at(lost, objective())
    found, other = study(), study()
    other.optimize(undisturbed, n_trials=trials, catch=(RuntimeError,))
    for _ in range(trials):
        scoring = failing_at(lost, resumed(tmp_path))
        found.optimize(scoring, n_trials=1, catch=(RuntimeError,))
    scoring = resumed(tmp_path)
    assert scoring.waiting == undisturbed.waiting == [Seat(2, 3)]
    undisturbed.settle(other)
    scoring.settle(found)
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())
    ended = resumed(tmp_path)
    assert not ended.waiting
    assert same_bits(ended.weights.snapshot(), undisturbed.weights.snapshot())


# --- what does not fit


def test_the_weights_of_another_search_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="weights of another search: give another"):
        objective(checkpoint=kept_in(folder, search="t"))


def test_a_folder_is_enough_to_go_on_with_a_study(tmp_path: Path) -> None:
    found = study()
    for trials in (3, 5):
        scoring = objective(checkpoint=tmp_path / "out")
        found.optimize(scoring, n_trials=trials)
    undisturbed, other = objective(), study()
    other.optimize(undisturbed, n_trials=8)
    assert scores(found) == scores(other)
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())


def test_a_study_is_not_gone_on_with_by_another_seed(tmp_path: Path) -> None:
    found = study()
    found.optimize(objective(checkpoint=tmp_path / "out"), n_trials=2)
    again = objective(checkpoint=tmp_path / "out", seed=SEED + 1)
    with pytest.raises(ValueError, match=rf"^seed must be {SEED}, .* got {SEED + 1}$"):
        found.optimize(again, n_trials=1)
    assert found.trials[-1].system_attrs[INTERRUPTED_KEY]
    found.optimize(objective(checkpoint=tmp_path / "out"), n_trials=2)
    assert len(scores(found)) == 4
