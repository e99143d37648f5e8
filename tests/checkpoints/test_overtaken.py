from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from optuna.artifacts import FileSystemArtifactStore

from relativenas_optuna.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.checkpoints.pointer import POINTER_NAME
from relativenas_optuna.samplers.claims import Seat
from tests.checkpoints.helpers import (
    commit,
    expected,
    in_folder,
    learner,
    names,
    pointed,
    scored,
    weight_set,
)
from tests.tiny import same_bits

FIRST = Seat(0, 0)


class Overtaken(FilePointer):
    """A pointer that others advance just before this process does, as often as they want to."""

    def __init__(self, path: Path, others: Sequence[Callable[[], object]]) -> None:
        super().__init__(path)
        self._others = list(others)

    def advance(self, expected: str | None, new: str) -> bool:
        if self._others:
            self._others.pop()()
        return super().advance(expected, new)


def test_a_commit_that_is_overtaken_is_made_over_the_others(tmp_path: Path) -> None:
    store, path = FileSystemArtifactStore(tmp_path), tmp_path / POINTER_NAME
    other, theirs = Checkpoint(store, pointer=FilePointer(path), search="s"), weight_set()
    others = [partial(commit, other, theirs, "sep_conv_3x3", value) for value in (2.0, 1.0)]
    weights, overtaken = (
        weight_set(),
        Checkpoint(store, pointer=Overtaken(path, others), search="s"),
    )
    assert commit(overtaken, weights, "sep_conv_5x5", 5.0) == 2
    assert same_bits(
        weights.snapshot(),
        expected(("sep_conv_3x3", 1.0), ("sep_conv_3x3", 2.0), ("sep_conv_5x5", 5.0)),
    )
    assert weights.version == 3
    assert names(tmp_path) == pointed(tmp_path)


def test_a_learner_that_waits_is_kept_beside_what_others_keep(tmp_path: Path) -> None:
    weights, path = weight_set(), tmp_path / POINTER_NAME
    trained = learner(weights, "sep_conv_3x3", 1.0)
    seats = [Seat(0, 0), Seat(0, 2)]
    other = Checkpoint(FileSystemArtifactStore(tmp_path), pointer=FilePointer(path), search="s")
    keep = partial(other.save_waiting, scored("sep_conv_3x3", seats[1]), trained, 0)
    Checkpoint(
        FileSystemArtifactStore(tmp_path), pointer=Overtaken(path, [keep]), search="s"
    ).save_waiting(scored("sep_conv_3x3", seats[0]), trained, 0)
    record = other.record()
    assert record is not None
    assert [entry.scored.seat for entry in record.waiting] == seats
    assert names(tmp_path) == pointed(tmp_path)


class Interrupted(FilePointer):
    """A pointer that is advanced, but whose answer never comes."""

    def advance(self, expected: str | None, new: str) -> bool:
        super().advance(expected, new)
        raise ConnectionError("lost")


def test_a_commit_whose_answer_is_lost_is_found_made(tmp_path: Path) -> None:
    weights, one = weight_set(), scored("sep_conv_3x3", FIRST)
    trained = learner(weights, "sep_conv_3x3", 1.0)
    cut_off = Checkpoint(tmp_path, pointer=Interrupted(tmp_path / POINTER_NAME), search="s")
    with pytest.raises(ConnectionError):
        cut_off.commit(weights, [trained], scored=[one])
    assert weights.version == 0
    checkpoint = in_folder(tmp_path)
    assert checkpoint.scored(FIRST, one.architecture) == one
    checkpoint.sync(weights)
    assert weights.version == 1
    assert same_bits(weights.snapshot(), expected(("sep_conv_3x3", 1.0)))
    assert names(tmp_path) == pointed(tmp_path)
