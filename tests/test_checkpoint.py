from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest

from relativenas_optuna.checkpoint import FILE_NAME, Checkpoint, Progress, Scored
from relativenas_optuna.objective import SupernetObjective
from relativenas_optuna.samplers.claims import INTERRUPTED_KEY, Seat
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.training import load, save
from tests.tiny import (
    SEATS,
    database,
    names,
    objective,
    positions,
    same_bits,
    scores,
    study,
)


def resumed(folder: Path, **options: Any) -> SupernetObjective:
    return objective(checkpoint=Checkpoint(folder, search="s"), **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The checkpoint of a search that ended between the learners of a pair."""
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
    assert ended.last == Seat(2, 3)


class Lost(Exception):
    """The study did not get the score."""


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_score_that_the_study_did_not_get_is_given_again_without_training(
    lost: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = study()
    if lost:
        found.optimize(resumed(tmp_path), n_trials=lost)

    def fail(trial: optuna.Trial, *_: Any) -> None:
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
    assert found.trials[-1].user_attrs["seconds"]["train"] == 0
    assert same_bits(scoring.weights.snapshot(), before)
    found.optimize(scoring, n_trials=7 - lost)
    undisturbed, other = objective(), study()
    other.optimize(undisturbed, n_trials=8)
    assert scores(found) == scores(other)
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())


def failing_at(seat: Seat, scoring: SupernetObjective) -> SupernetObjective:
    """An objective in which the architecture of one seat cannot be trained."""
    train = scoring._trainer.train

    def refused(genotype: Genotype, place: Seat) -> Any:
        if place == seat:
            raise RuntimeError
        return train(genotype, place)

    scoring._trainer.train = refused  # type: ignore[method-assign]
    return scoring


def test_a_wait_for_a_partner_that_failed_for_good_survives_a_restart(tmp_path: Path) -> None:
    lost = Seat(2, 2)
    trials = SEATS - 1 + 3  # which are those of the lost seat
    undisturbed = failing_at(lost, objective())
    study().optimize(undisturbed, n_trials=trials, catch=(RuntimeError,))
    found = study()
    for _ in range(trials):
        scoring = failing_at(lost, resumed(tmp_path))
        found.optimize(scoring, n_trials=1, catch=(RuntimeError,))
    scoring = resumed(tmp_path)
    assert scoring.waiting == undisturbed.waiting == Seat(2, 3)
    undisturbed.commit_waiting()
    scoring.commit_waiting()
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())
    ended = resumed(tmp_path)
    assert ended.waiting is None
    assert same_bits(ended.weights.snapshot(), undisturbed.weights.snapshot())


# --- files from elsewhere


def change_metadata(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tensors, metadata = load(path)
    state = json.loads(metadata["state"])
    change(state)
    save(path, tensors, metadata | {"state": json.dumps(state)})


def drop_tensor(path: Path, prefix: str) -> None:
    tensors, metadata = load(path)
    del tensors[next(name for name in tensors if name.startswith(prefix))]
    save(path, tensors, metadata)


def nested(path: Path) -> None:
    tensors, metadata = load(path)
    save(path, tensors, metadata | {"state": "[" * 100_000})


def without_metadata(path: Path) -> None:
    save(path, load(path)[0], {"search": "s"})


def cut(path: Path, *, at: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * at)])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3] ^= 255
    path.write_bytes(content)


def changed(key: str, value: object) -> Callable[[Path], None]:
    return partial(change_metadata, change=lambda state: state.update({key: value}))


def changed_last(key: str, value: object) -> Callable[[Path], None]:
    return partial(change_metadata, change=lambda state: state["last"].update({key: value}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (partial(cut, at=0.0), "damaged or not a safetensors file"),
        (partial(cut, at=0.001), "damaged or not a safetensors file"),
        (partial(cut, at=0.9), "damaged or not a safetensors file"),
        (flipped, "damaged or not a safetensors file"),
        (lambda path: path.write_text("weights"), "damaged or not a safetensors file"),
        (without_metadata, "unreadable metadata"),
        (nested, "unreadable metadata"),
        (changed("version", "x"), "unreadable metadata"),
        (changed("last", None), "unreadable metadata"),
        (changed("last", []), "unreadable metadata"),
        (changed("waiting", "x"), "unreadable metadata"),
        (changed_last("genotype", "normal: nothing"), "unreadable metadata"),
        (changed_last("genotype", 5), "unreadable metadata"),
        (changed_last("seat", {"generation": 0, "number": -1}), "unreadable metadata"),
        (changed_last("seat", {"generation": "0", "number": 1}), "unreadable metadata"),
        (changed_last("seat", {"number": 1}), "unreadable metadata"),
        (changed_last("loss", [1]), "unreadable metadata"),
        (partial(drop_tensor, prefix="committed/"), "another shape"),
        (partial(drop_tensor, prefix="waiting/"), "another shape"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_and_nothing_is_restored(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder / FILE_NAME)
    content = (folder / FILE_NAME).read_bytes()
    scoring = objective()
    before = scoring.weights.snapshot()
    with pytest.raises(ValueError, match=message) as caught:
        Checkpoint(folder, search="s").restore(scoring.weights)
    assert "\n" not in str(caught.value)
    assert FILE_NAME in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert same_bits(scoring.weights.snapshot(), before)
    assert (folder / FILE_NAME).read_bytes() == content


def test_the_weights_of_another_search_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="holds the weights of another search: give another fold"):
        objective(checkpoint=Checkpoint(folder, search="t"))


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 4},
        {"cells": 4},
        {"space": CellSpace(nodes=2)},
        {"space": CellSpace(nodes=1, operations=("skip_connect", "sep_conv_3x3"))},
    ],
    ids=str,
)
def test_the_weights_of_another_supernet_are_refused(folder: Path, options: Any) -> None:
    with pytest.raises(ValueError, match="weights of another shape") as caught:
        resumed(folder, **options)
    assert "\n" not in str(caught.value)


def test_without_a_file_a_search_begins(tmp_path: Path) -> None:
    scoring = resumed(tmp_path / "a" / "b")
    assert scoring.last is None
    assert scoring.waiting is None
    assert names(tmp_path / "a" / "b") == []


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError, match="exists"):
        Checkpoint(tmp_path / "out", search="s")


def test_what_a_killed_process_left_is_removed_and_nothing_else(folder: Path) -> None:
    (folder / f".{FILE_NAME}.123.tmp").write_text("half")
    (folder / ".other.123.tmp").write_text("")
    resumed(folder)
    assert names(folder) == [".other.123.tmp", FILE_NAME]


def test_progress_survives_the_way_to_disk(folder: Path) -> None:
    scoring = resumed(folder)
    assert scoring.last == scoring.waiting == Seat(0, 2)
    checkpoint = Checkpoint(folder, search="s")
    progress = checkpoint.restore(scoring.weights)
    assert progress is not None
    assert progress.waiting is not None
    scored, trained = progress.waiting
    assert scored == progress.last
    assert scored.genotype == trained.genotype
    odd = replace(scored, loss=0.1 + 0.2, train_loss=float("inf"))
    assert Scored.from_data(json.loads(json.dumps(odd.to_data()))) == odd
    checkpoint.save(scoring.weights, Progress(last=odd, waiting=None))
    after = checkpoint.restore(scoring.weights)
    assert after is not None
    assert (after.last, after.waiting) == (odd, None)
