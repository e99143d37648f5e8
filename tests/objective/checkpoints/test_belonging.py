from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from relativenas_optuna.networks.nasbench201 import NASBench201Supernet
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer, pointer_of
from relativenas_optuna.objective.weight_set import WeightSet
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.spaces.nasbench201 import NASBench201
from relativenas_optuna.storages.opening import open_storage
from tests.helpers.checkpoints.stores import (
    SPACE,
    commit,
    in_folder,
    learner,
    names,
    scored,
    weight_set,
)
from tests.helpers.tiny_search import same_bits

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

FIRST = Seat(0, 0)


def newest(checkpoint: Checkpoint) -> int:
    weights = weight_set()
    checkpoint.sync(weights)
    return weights.version


def other_supernet(**changes: Any) -> WeightSet:
    space = changes.pop("space", SPACE)
    sizes = {"channels": 1, "cells": 3, "in_channels": 1} | changes
    if isinstance(space, NASBench201):
        return WeightSet(NASBench201Supernet(space, **sizes))
    return WeightSet(Supernet(space, **sizes))


OTHERS = {
    "channels": (other_supernet(channels=2), "channels: the weights have 1, this search has 2"),
    "cells": (other_supernet(cells=4), "cells: the weights have 3, this search has 4"),
    "nodes": (
        other_supernet(space=CellSpace(nodes=2)),
        "nodes: the weights have 1, this search has 2",
    ),
    "operations": (
        other_supernet(space=CellSpace(nodes=1, operations=("skip_connect", "sep_conv_5x5"))),
        r"operations: avg_pool_3x3, .* sep_conv_3x3 are in the weights alone$",
    ),
    "classes": (other_supernet(num_classes=3), "classes: the weights have 10, this search has 3"),
    "image channels": (
        other_supernet(in_channels=3),
        "image channels: the weights have 1, this search has 3",
    ),
    "space": (
        other_supernet(space=NASBench201()),
        "space: the weights have 'CellSpace', this search has 'NASBench201'",
    ),
}


@pytest.mark.parametrize("named", [True, False], ids=["by name", "by tensors"])
@pytest.mark.parametrize(("weights", "difference"), OTHERS.values(), ids=OTHERS)
def test_weights_of_another_supernet_are_refused_by_name(
    weights: WeightSet,
    difference: str,
    named: bool,
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = weight_set()
    if not named:  # as of a user's own supernet that states no facts
        monkeypatch.setattr("relativenas_optuna.objective.checkpoints.ledger.facts", lambda _: {})
        difference = " is .* but must be "
    checkpoint.save_waiting(
        scored("sep_conv_3x3", FIRST), learner(own, "sep_conv_3x3", 1.0), own.version
    )
    commit(checkpoint, own, "sep_conv_5x5", 1.0)
    before = weights.snapshot()
    monkeypatch.undo()
    with pytest.raises(ValueError, match=difference) as caught:
        checkpoint.sync(weights)
    assert "which this search cannot go on with" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert weights.version == 0
    assert same_bits(weights.snapshot(), before)
    if isinstance(weights.supernet.space, CellSpace):  # else its text is none of the space
        with pytest.raises(ValueError, match=r"another shape|not in the space|genotype|holds"):
            checkpoint.load_waiting(FIRST, weights, Genotype.from_text)


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


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_copied_study_does_not_touch_the_weights_of_its_original(
    kind: str, tmp_path: Path
) -> None:
    storage: BaseStorage = (
        open_storage(f"sqlite:///{tmp_path / 's.db'}", heartbeat_interval=None)
        if kind == "sqlite"
        else JournalStorage(JournalFileBackend(str(tmp_path / "s.log")))
    )
    folder = tmp_path / "weights"

    def of(name: str) -> Checkpoint:
        study = optuna.load_study(study_name=name, storage=storage)
        return Checkpoint(folder, pointer=pointer_of(study, folder), search="s")

    def copy(*, of: str, to: str) -> None:
        optuna.copy_study(
            from_study_name=of, from_storage=storage, to_storage=storage, to_study_name=to
        )

    optuna.create_study(study_name="first", storage=storage)
    weights = weight_set()
    commit(of("first"), weights, "sep_conv_3x3", 1.0)
    copy(of="first", to="second")
    kept = names(folder)
    other = weight_set()
    for action in (
        of("second").record,
        lambda: of("second").sync(other),
        lambda: commit(of("second"), other, "sep_conv_3x3", 2.0),
    ):
        with pytest.raises(ValueError, match="'second' is a copy of study 'first', which would"):
            action()
    assert names(folder) == kept
    assert newest(of("first")) == 1
    optuna.delete_study(study_name="first", storage=storage)
    copy(of="second", to="first")  # the way out that the message names
    assert newest(of("first")) == 1


def test_a_learner_of_another_supernet_is_not_committed(tmp_path: Path) -> None:
    weights, other = weight_set(), weight_set(channels=2)
    with pytest.raises(ValueError, match="do not fit"):
        in_folder(tmp_path).commit(weights, [learner(other, "sep_conv_3x3", 1.0)])
    assert not names(tmp_path)


def test_a_place_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="a folder or an artifact store"):
        Checkpoint(5, pointer=FilePointer("x"), search="s")  # type: ignore[arg-type]
