from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from relativenas_optuna.objective.checkpoints import Checkpoint, FolderStore
from relativenas_optuna.objective.checkpoints.pointer import POINTER_NAME
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import Genotype
from tests.helpers.checkpoints.stores import (
    OPERATIONS,
    commit,
    expected,
    in_folder,
    learner,
    names,
    scored,
    weight_set,
)
from tests.helpers.tiny_search import same_bits

FIRST = Seat(0, 0)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "Is a directory": folder_instead,
    "symbolic links": link_in_a_circle,
    "is missing": Path.unlink,
    "bytes": cut,
    "has more": longer,
    "sha256": flipped,
}


@pytest.mark.slow_except("folder")
@pytest.mark.parametrize("message", DAMAGES)
def test_where_the_newest_file_is_damaged_the_one_before_is_used(
    message: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    weights, other = weight_set(), weight_set()
    commits = [(OPERATIONS[i], float(i)) for i in range(3)]
    for operation, value in commits:
        commit(checkpoint, weights, operation, value)
    record = checkpoint.record()
    assert record is not None
    name = record.versions[0].file.name
    DAMAGES[message](tmp_path / name)
    with pytest.warns(UserWarning, match=message) as caught:
        checkpoint.sync(other)
    assert len(caught) == 1
    assert name in str(caught[0].message)
    assert "\n" not in str(caught[0].message)
    assert other.version == 2
    assert same_bits(other.snapshot(), expected(*commits[:2]))
    third = weight_set()
    checkpoint.sync(third)
    assert third.version == 2
    # Also one that still has the weights that are lost goes on from those before.
    assert commit(checkpoint, weights, "dil_conv_5x5", 5.0) == 0
    assert weights.version == 3
    assert same_bits(weights.snapshot(), expected(*commits[:2], ("dil_conv_5x5", 5.0)))


def test_a_fifo_in_the_place_of_the_newest_file_is_not_waited_for(tmp_path: Path) -> None:
    for number in range(2):
        commit(in_folder(tmp_path), weight_set(), OPERATIONS[number], 1.0)
    fifo(next(path for path in tmp_path.glob("weights-*-000002-*")))
    weights = weight_set()
    with pytest.warns(UserWarning, match="and has 0"):
        in_folder(tmp_path).sync(weights)
    assert weights.version == 1


def test_after_the_first_commit_there_are_weights_to_go_back_to(tmp_path: Path) -> None:
    commit(in_folder(tmp_path), weight_set(), "sep_conv_3x3", 1.0)
    flipped(next(path for path in tmp_path.glob("weights-*-000001-*")))
    weights = weight_set()
    with pytest.warns(UserWarning, match="sha256"):
        in_folder(tmp_path).sync(weights)
    assert weights.version == 0
    assert same_bits(weights.snapshot(), weight_set().snapshot())


def test_where_both_files_are_damaged_nothing_is_changed(tmp_path: Path) -> None:
    commit(in_folder(tmp_path), weight_set(), "sep_conv_3x3", 1.0)
    for name in names(tmp_path):
        cut(tmp_path / name)
    content = (tmp_path / POINTER_NAME).read_bytes()
    weights = weight_set()
    with pytest.raises(ValueError, match="no other weights") as caught:
        in_folder(tmp_path).sync(weights)
    assert "\n" not in str(caught.value)
    assert all(name in str(caught.value) for name in names(tmp_path))
    assert same_bits(weights.snapshot(), weight_set().snapshot())
    assert (tmp_path / POINTER_NAME).read_bytes() == content


def test_a_learner_whose_file_is_damaged_is_lost_with_a_warning(tmp_path: Path) -> None:
    weights, checkpoint = weight_set(), in_folder(tmp_path)
    trained = learner(weights, "sep_conv_3x3", 1.0)
    checkpoint.save_waiting(scored("sep_conv_3x3", FIRST), trained, 0)
    flipped(tmp_path / names(tmp_path).pop())
    with pytest.warns(UserWarning, match="sha256"):
        assert checkpoint.load_waiting(FIRST, weights, Genotype.from_text) is None


def test_files_of_a_lost_pointer_are_left(tmp_path: Path) -> None:
    commit(in_folder(tmp_path), weight_set(), "sep_conv_3x3", 1.0)
    (tmp_path / POINTER_NAME).unlink()
    in_folder(tmp_path).sync(weight_set())
    assert len(names(tmp_path)) == 2


def test_a_file_that_was_never_one_of_weights_is_damaged(tmp_path: Path) -> None:
    checkpoint, weights = in_folder(tmp_path), weight_set()
    commit(checkpoint, weights, "sep_conv_3x3", 1.0)
    record = checkpoint.record()
    assert record is not None
    odd = FolderStore(tmp_path).put("odd", b"weights")
    newest, before = record.versions
    (tmp_path / POINTER_NAME).write_text(
        replace(record, versions=(replace(newest, file=odd), before)).to_text()
    )
    with pytest.warns(UserWarning, match="'odd' is damaged"):
        checkpoint.sync(weights)
    assert weights.version == 0
