from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from optuna.artifacts import FileSystemArtifactStore
from torch import Tensor

from relativenas_optuna.checkpoints import Checkpoint, FilePointer, FolderStore
from relativenas_optuna.checkpoints.pointer import POINTER_NAME
from relativenas_optuna.samplers.claims import Seat
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.training import WeightSet
from tests.checkpoints.helpers import (
    OPERATIONS,
    in_folder,
    learner,
    names,
    own_tensors,
    pointed,
    scored,
    values,
    weight_set,
)
from tests.tiny import same_bits

FIRST, SECOND = Seat(0, 0), Seat(0, 1)


@pytest.fixture(params=["folder", "artifacts"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoint:
    if request.param == "folder":
        return in_folder(tmp_path)
    store = FileSystemArtifactStore(tmp_path)
    return Checkpoint(store, pointer=FilePointer(tmp_path / POINTER_NAME), search="s")


def expected(*commits: tuple[str, float]) -> dict[str, Tensor]:
    """The weights after commits in one process without a checkpoint."""
    weights = weight_set()
    for operation, value in commits:
        weights.commit(learner(weights, operation, value))
    return weights.snapshot()


def commit(checkpoint: Checkpoint, weights: WeightSet, operation: str, value: float) -> int:
    return checkpoint.commit(weights, [learner(weights, operation, value)])


def newest(checkpoint: Checkpoint) -> int:
    weights = weight_set()
    checkpoint.sync(weights)
    return weights.version


# --- committing and going on


def test_before_the_first_commit_there_is_nothing_to_go_on_with(checkpoint: Checkpoint) -> None:
    weights = weight_set()
    assert checkpoint.sync(weights) is None
    assert checkpoint.record() is None
    assert checkpoint.scored(FIRST, "x") is None
    assert checkpoint.waiting(FIRST, weights, Genotype.from_text) is None
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
    assert [entry.scored.seat for entry in record.waiting] == [FIRST]
    found = checkpoint.waiting(FIRST, other, Genotype.from_text)
    assert found is not None
    assert found[0] == scored("sep_conv_3x3", FIRST)
    assert found[1].genotype == trained.genotype
    assert same_bits(found[1].tensors, trained.tensors)
    partner = learner(other, "sep_conv_5x5", 2.0)
    checkpoint.commit(
        other,
        [found[1], partner],
        scored=[scored("sep_conv_5x5", SECOND)],
        drop_waiting=FIRST,
    )
    assert checkpoint.waiting(FIRST, other, Genotype.from_text) is None
    for seat, operation in ((FIRST, "sep_conv_3x3"), (SECOND, "sep_conv_5x5")):
        told = scored(operation, seat)
        assert checkpoint.scored(seat, told.architecture) == told
        assert checkpoint.scored(seat, "another") is None
    assert names(tmp_path) == pointed(tmp_path)
    assert len(names(tmp_path)) == 2


def test_a_learner_that_waits_can_be_replaced(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weights = weight_set()
    for value, operation in ((1.0, "sep_conv_3x3"), (2.0, "sep_conv_5x5")):
        trained = learner(weights, operation, value)
        checkpoint.save_waiting(scored(operation, FIRST), trained, 0)
        told = scored(operation, FIRST)
        assert checkpoint.scored(FIRST, told.architecture) == told
        assert len(names(tmp_path)) == 1
    found = checkpoint.waiting(FIRST, weights, Genotype.from_text)
    assert found is not None
    assert same_bits(found[1].tensors, trained.tensors)


def test_a_pair_begins_where_its_first_learner_did(checkpoint: Checkpoint) -> None:
    one, other = weight_set(), weight_set()
    trained = learner(one, "sep_conv_3x3", 1.0)
    checkpoint.save_waiting(scored("sep_conv_3x3", FIRST), trained, 0)
    commit(checkpoint, other, "dil_conv_3x3", 3.0)
    checkpoint.sync(one)  # as a process does that was begun anew
    assert checkpoint.commit(one, [trained], drop_waiting=FIRST) == 1


# --- damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "is missing": Path.unlink,
    "bytes": cut,
    "has more": longer,
    "sha256": flipped,
}


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
        assert checkpoint.waiting(FIRST, weights, Genotype.from_text) is None


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


# --- what does not belong


@pytest.mark.parametrize(
    "weights",
    [weight_set(channels=2), weight_set(space=CellSpace(nodes=2))],
    ids=["channels", "space"],
)
def test_weights_of_another_supernet_are_refused_by_name(
    weights: WeightSet, checkpoint: Checkpoint
) -> None:
    own = weight_set()
    checkpoint.save_waiting(
        scored("sep_conv_3x3", FIRST), learner(own, "sep_conv_3x3", 1.0), own.version
    )
    commit(checkpoint, own, "sep_conv_5x5", 1.0)
    before = weights.snapshot()
    with pytest.raises(ValueError, match=r"another shape.* is .* but must be ") as caught:
        checkpoint.sync(weights)
    assert "\n" not in str(caught.value)
    assert weights.version == 0
    assert same_bits(weights.snapshot(), before)
    with pytest.raises(ValueError, match=r"another shape|not in the space|genotype"):
        checkpoint.waiting(FIRST, weights, Genotype.from_text)


def test_weights_of_another_search_are_refused(tmp_path: Path) -> None:
    commit(in_folder(tmp_path), weight_set(), "sep_conv_3x3", 1.0)
    other = in_folder(tmp_path, search="other")
    for action in (other.record, lambda: other.sync(weight_set())):
        with pytest.raises(ValueError, match="another search: give another study or folder"):
            action()
    assert len(names(tmp_path)) == 2


def test_searches_share_a_folder(tmp_path: Path) -> None:
    checkpoints = [
        Checkpoint(tmp_path, pointer=FilePointer(tmp_path / "points" / search), search=search)
        for search in "ab"
    ]
    weights = [weight_set(), weight_set()]
    for value in range(3):
        for one, held in zip(checkpoints, weights, strict=True):
            commit(one, held, "sep_conv_3x3", float(value))
    assert len([name for name in names(tmp_path) if name != "points"]) == 4
    for one in checkpoints:
        assert newest(one) == 3


def test_a_learner_of_another_supernet_is_not_committed(tmp_path: Path) -> None:
    weights, other = weight_set(), weight_set(channels=2)
    with pytest.raises(ValueError, match="do not fit"):
        in_folder(tmp_path).commit(weights, [learner(other, "sep_conv_3x3", 1.0)])
    assert not names(tmp_path)


def test_a_place_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="a folder or an artifact store"):
        Checkpoint(5, pointer=FilePointer("x"), search="s")  # type: ignore[arg-type]


# --- others in between


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
