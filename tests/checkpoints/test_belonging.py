from __future__ import annotations

from pathlib import Path

import pytest

from relativenas_optuna.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.samplers.claims import Seat
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.training import WeightSet
from tests.checkpoints.helpers import (
    commit,
    in_folder,
    learner,
    names,
    scored,
    weight_set,
)
from tests.tiny import same_bits

FIRST = Seat(0, 0)


def newest(checkpoint: Checkpoint) -> int:
    weights = weight_set()
    checkpoint.sync(weights)
    return weights.version


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
