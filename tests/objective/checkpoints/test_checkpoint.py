from __future__ import annotations

from pathlib import Path

from relativenas_optuna.objective.checkpoints import Checkpoint
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import Genotype
from tests.helpers.checkpoints.stores import (
    OPERATIONS,
    commit,
    expected,
    in_folder,
    learner,
    names,
    own_tensors,
    pointed,
    scored,
    values,
    weight_set,
)
from tests.helpers.tiny_search import same_bits

FIRST, SECOND = Seat(0, 0), Seat(0, 1)


# --- committing and going on


def test_before_the_first_commit_there_is_nothing_to_go_on_with(checkpoint: Checkpoint) -> None:
    weights = weight_set()
    assert checkpoint.sync(weights) is None
    assert checkpoint.record() is None
    assert checkpoint.score_of(FIRST, "x") is None
    assert checkpoint.load_waiting(FIRST, weights, Genotype.from_text) is None
    assert same_bits(weights.snapshot(), weight_set().snapshot())


def test_a_new_weight_set_is_brought_to_the_newest_version(checkpoint: Checkpoint) -> None:
    weights = weight_set()
    commits = [(OPERATIONS[i % 4], float(i)) for i in range(5)]
    for number, (operation, value) in enumerate(commits):
        assert commit(checkpoint, weights, operation, value) == 0
        assert weights.version == number + 1
    other = weight_set()
    record = checkpoint.sync(other)
    assert record is not None
    assert record.version == other.version == 5
    assert same_bits(other.snapshot(), expected(*commits))
    assert same_bits(weights.snapshot(), expected(*commits))


def test_a_weight_set_that_is_up_to_date_reads_no_file(tmp_path: Path) -> None:
    weights, other = weight_set(), weight_set()
    commit(in_folder(tmp_path), weights, "sep_conv_3x3", 1.0)
    checkpoint = in_folder(tmp_path)
    checkpoint.sync(other)
    for name in names(tmp_path):
        (tmp_path / name).unlink()
    assert checkpoint.sync(other) is not None
    assert commit(checkpoint, other, "sep_conv_5x5", 2.0) == 0


def test_a_weight_set_with_commits_of_its_own_is_brought_back(checkpoint: Checkpoint) -> None:
    weights = weight_set()
    commit(checkpoint, weights, "sep_conv_3x3", 1.0)
    weights.commit(learner(weights, "sep_conv_5x5", 9.0))
    checkpoint.sync(weights)
    assert weights.version == 1
    assert same_bits(weights.snapshot(), expected(("sep_conv_3x3", 1.0)))


def test_of_learners_the_later_is_written_over_the_earlier(checkpoint: Checkpoint) -> None:
    weights, other = weight_set(), weight_set()
    slow, fast = learner(weights, "sep_conv_3x3", 1.0), learner(weights, "sep_conv_5x5", 2.0)
    assert checkpoint.commit(weights, [slow, fast]) == 0
    other.commit_pair(fast, slow)
    assert weights.version == 1
    assert same_bits(weights.snapshot(), other.snapshot())


def test_a_commit_over_those_of_others_undoes_none_and_says_how_many(
    checkpoint: Checkpoint,
) -> None:
    one, other = weight_set(), weight_set()
    for number in range(3):
        commit(checkpoint, one, "sep_conv_3x3", float(number))
    before = own_tensors(other, "dil_conv_3x3")
    assert commit(checkpoint, other, "sep_conv_5x5", 7.0) == 3
    assert other.version == 4
    assert values(other, "sep_conv_3x3") == {2.0}
    assert values(other, "sep_conv_5x5") == {7.0}
    assert same_bits(own_tensors(other, "dil_conv_3x3"), before)
    assert commit(checkpoint, other, "sep_conv_5x5", 8.0) == 0


def test_two_files_are_kept(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weights = weight_set()
    for number in range(6):
        commit(checkpoint, weights, "sep_conv_3x3", float(number))
        assert len(names(tmp_path)) == 2
        assert names(tmp_path) == pointed(tmp_path)


# --- learners that wait


def test_a_learner_waits_for_its_partner_in_another_process(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    weights, other = weight_set(), weight_set()
    trained = learner(weights, "sep_conv_3x3", 1.0)
    checkpoint.save_waiting(scored("sep_conv_3x3", FIRST), trained, weights.version)
    record = checkpoint.sync(other)
    assert record is not None
    assert [entry.score.seat for entry in record.waiting] == [FIRST]
    found = checkpoint.load_waiting(FIRST, other, Genotype.from_text)
    assert found is not None
    assert found[0] == scored("sep_conv_3x3", FIRST)
    assert found[1].genotype == trained.genotype
    assert same_bits(found[1].tensors, trained.tensors)
    partner = learner(other, "sep_conv_5x5", 2.0)
    checkpoint.commit(
        other,
        [found[1], partner],
        scores=[scored("sep_conv_5x5", SECOND)],
        drop_waiting=FIRST,
    )
    assert checkpoint.load_waiting(FIRST, other, Genotype.from_text) is None
    for seat, operation in ((FIRST, "sep_conv_3x3"), (SECOND, "sep_conv_5x5")):
        told = scored(operation, seat)
        assert checkpoint.score_of(seat, told.architecture) == told
        assert checkpoint.score_of(seat, "another") is None
    assert names(tmp_path) == pointed(tmp_path)
    assert len(names(tmp_path)) == 2


def test_a_learner_that_waits_can_be_replaced(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weights = weight_set()
    for value, operation in ((1.0, "sep_conv_3x3"), (2.0, "sep_conv_5x5")):
        trained = learner(weights, operation, value)
        checkpoint.save_waiting(scored(operation, FIRST), trained, 0)
        told = scored(operation, FIRST)
        assert checkpoint.score_of(FIRST, told.architecture) == told
        assert len(names(tmp_path)) == 1
    found = checkpoint.load_waiting(FIRST, weights, Genotype.from_text)
    assert found is not None
    assert same_bits(found[1].tensors, trained.tensors)


def test_a_pair_begins_where_its_first_learner_did(checkpoint: Checkpoint) -> None:
    one, other = weight_set(), weight_set()
    trained = learner(one, "sep_conv_3x3", 1.0)
    checkpoint.save_waiting(scored("sep_conv_3x3", FIRST), trained, 0)
    commit(checkpoint, other, "dil_conv_3x3", 3.0)
    checkpoint.sync(one)  # as a process does that was begun anew
    assert checkpoint.commit(one, [trained], drop_waiting=FIRST) == 1
