from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from optuna.artifacts import FileSystemArtifactStore

from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.objective.checkpoints.pointer import POINTER_NAME
from relativenas_optuna.objective.shared_weights import SharedWeights
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import Genotype
from tests.helpers.checkpoints.stores import (
    commit,
    expected,
    in_folder,
    learner,
    names,
    pointed,
    scored,
    weight_set,
)
from tests.helpers.tiny_search import same_bits

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
    assert [entry.score.seat for entry in record.waiting] == seats
    assert names(tmp_path) == pointed(tmp_path)


def settled_meanwhile(tmp_path: Path) -> Checkpoint:
    """The first of a pair waits; another worker commits it alone when this one is about to."""
    other, theirs = in_folder(tmp_path), weight_set()
    one, trained = scored("sep_conv_3x3", FIRST), learner(theirs, "sep_conv_3x3", 1.0)
    other.save_waiting(one, trained, 0)
    settle = partial(other.commit, theirs, [trained], scores=[one], drop_waiting=FIRST)
    pointer = Overtaken(tmp_path / POINTER_NAME, [settle])
    return Checkpoint(FileSystemArtifactStore(tmp_path), pointer=pointer, search="s")


def test_two_that_settle_a_learner_at_one_instant_commit_it_once(tmp_path: Path) -> None:
    overtaken, weights = settled_meanwhile(tmp_path), weight_set()
    trained = learner(weights, "sep_conv_3x3", 1.0)
    one = scored("sep_conv_3x3", FIRST)
    assert overtaken.commit(weights, [trained], scores=[one], drop_waiting=FIRST) is None
    assert weights.version == 1
    assert same_bits(weights.snapshot(), expected(("sep_conv_3x3", 1.0)))
    assert names(tmp_path) == pointed(tmp_path)


def test_the_second_of_a_pair_is_committed_alone_where_the_first_was_meanwhile(
    tmp_path: Path,
) -> None:
    overtaken, weights = settled_meanwhile(tmp_path), weight_set()
    shared = SharedWeights(weights, overtaken, Genotype.from_text)
    second = scored("sep_conv_5x5", FIRST.partner)
    trained = learner(weights, "sep_conv_5x5", 2.0)
    assert shared.end(second, trained, start_version=0, partner=FIRST) == 1
    assert weights.version == 2
    assert same_bits(weights.snapshot(), expected(("sep_conv_3x3", 1.0), ("sep_conv_5x5", 2.0)))
    assert shared.waiting() == set()
    assert shared.known(second.seat, second.architecture) == second
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
        cut_off.commit(weights, [trained], scores=[one])
    assert weights.version == 0
    checkpoint = in_folder(tmp_path)
    assert checkpoint.score_of(FIRST, one.architecture) == one
    checkpoint.sync(weights)
    assert weights.version == 1
    assert same_bits(weights.snapshot(), expected(("sep_conv_3x3", 1.0)))
    assert names(tmp_path) == pointed(tmp_path)
