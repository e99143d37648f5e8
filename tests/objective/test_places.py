"""Checkpoints that an objective cannot go on with, and places that cannot hold one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from torch import nn

from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.spaces import CellSpace
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.tiny_search import kept_in, objective, same_bits, study
from tests.objective.test_candidate_trainer import Arms
from tests.objective.test_network import of_arms, of_switch

TWO = ("skip_connect", "sep_conv_3x3")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"channels": 4}, "channels: the weights have 2, this search has 4"),
        ({"cells": 4}, "cells: the weights have 3, this search has 4"),
        ({"space": CellSpace(nodes=2)}, "nodes: the weights have 1, this search has 2"),
        ({"space": CellSpace(nodes=1, operations=TWO)}, "operations: .* are in the weights alone"),
    ],
    ids=["channels", "cells", "nodes", "operations"],
)
def test_a_checkpoint_of_another_search_space_or_size_is_refused_by_name(
    options: dict[str, Any], named: str, tmp_path: Path
) -> None:
    study().optimize(objective(checkpoint=kept_in(tmp_path)), n_trials=2)
    kept = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match=rf"weights file '.*' holds weights .*{named}") as caught:
        objective(checkpoint=kept_in(tmp_path), **options)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_a_folder_that_cannot_be_made_or_written_to_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        for make in (
            lambda folder: folder,
            lambda folder: Checkpoint(folder, pointer=FilePointer(tmp_path / "w.json"), search="s"),
        ):
            with pytest.raises(
                OSError, match=r"folder for weights cannot be made .*file"
            ) as caught:
                objective(checkpoint=make(place))
            assert "\n" not in str(caught.value)
    assert file.read_text() == "mine"


def test_a_folder_that_is_lost_in_a_search_is_no_failure_of_an_architecture(tmp_path: Path) -> None:
    folder, found = tmp_path / "out", study()
    scoring = objective(checkpoint=folder)
    found.optimize(scoring, n_trials=1)
    before, moved = scoring.weights.snapshot(), tmp_path / "moved"
    folder.rename(moved)
    folder.write_text("in its place")
    for _ in range(4):  # more often than a seat may fail
        with pytest.raises(OSError, match="out"):
            found.optimize(scoring, n_trials=1)
        assert found.trials[-1].system_attrs[INTERRUPTED_KEY]
        assert same_bits(scoring.weights.snapshot(), before)
    folder.unlink()
    moved.rename(folder)
    found.optimize(scoring, n_trials=1)
    assert scoring.weights.version == 1
    first, last = seat_of(found.trials[0]), seat_of(found.trials[-1])
    assert first is not None
    assert last == first.partner


class Wider(Arms):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(in_channels, classes)
        self.arms["left"] = nn.Conv2d(in_channels, 4, 7)


def test_weights_of_another_network_are_refused_by_name_and_no_architecture_blamed(
    tmp_path: Path,
) -> None:
    found = of_switch()
    found.optimize(of_arms(checkpoint=tmp_path), n_trials=3)
    other = of_arms(Wider, checkpoint=tmp_path)
    before = other.weights.snapshot()
    for _ in range(4):  # more often than a seat may fail
        with pytest.raises(ValueError, match=r"arms\.left\.weight is .* but must be ") as caught:
            found.optimize(other, n_trials=1)
        assert "\n" not in str(caught.value)
        assert same_bits(other.weights.snapshot(), before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = of_arms(checkpoint=tmp_path)
        found.optimize(again, n_trials=1)
    assert seat_of(found.trials[-1]) == Seat(0, 3)
    assert again.weights.version == 2
    assert found.trials[-1].state == TrialState.COMPLETE
