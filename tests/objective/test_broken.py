"""Errors during a trial, and the trials that they fail."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import TrialState
from torch import Tensor

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.tiny_search import (
    SEATS,
    Scoring,
    kept_in,
    objective,
    same_bits,
    scores,
    searched,
    study,
    until_scored,
)


class Breaking:
    """Raises in a forward pass of the training, once."""

    def __init__(self, scoring: Scoring, error: BaseException, *, after: int) -> None:
        self._left, self._error = after, error
        self._handle = scoring.supernet.stem.register_forward_hook(self)

    def __call__(self, module: torch.nn.Module, images: Any, output: Tensor) -> None:
        self._left -= 1
        if self._left < 0:
            self._handle.remove()
            raise self._error


@pytest.mark.parametrize("trial", [0, 1, 2])
@pytest.mark.parametrize("batches", [0, 2, 4])
def test_ctrl_c_in_the_training_is_no_failure_of_the_architecture(trial: int, batches: int) -> None:
    scoring, found = objective(), study()
    if trial:
        found.optimize(scoring, n_trials=trial)
    for _ in range(4):  # more often than a seat may fail
        before = scoring.weights.snapshot()
        Breaking(scoring, KeyboardInterrupt(), after=batches)
        with pytest.raises(KeyboardInterrupt):
            found.optimize(scoring, n_trials=1)
        assert found.trials[-1].state == TrialState.FAIL
        assert found.trials[-1].system_attrs[INTERRUPTED_KEY]
        assert same_bits(scoring.weights.snapshot(), before)
        assert not any(part.grad is not None for part in scoring.supernet.parameters())
    until_scored(found, scoring, 4)
    undisturbed, other = searched(4)
    assert scores(found) == scores(other)
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())


def test_an_error_in_the_training_is_a_failure_of_the_architecture() -> None:
    scoring, found = objective(), study()
    before = scoring.weights.snapshot()
    for _ in range(3):
        Breaking(scoring, RuntimeError("no memory"), after=1)
        with pytest.raises(RuntimeError, match="no memory"):
            found.optimize(scoring, n_trials=1)
        assert same_bits(scoring.weights.snapshot(), before)
    assert not any(INTERRUPTED_KEY in trial.system_attrs for trial in found.trials)
    found.optimize(scoring, n_trials=1)
    assert seat_of(found.trials[-1]) == Seat(0, 1)


def test_ctrl_c_while_the_architecture_is_suggested_is_no_failure_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scoring, found = objective(), study()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Trial, "suggest_categorical", interrupted)
        with pytest.raises(KeyboardInterrupt):
            found.optimize(scoring, n_trials=1)
    assert found.trials[0].system_attrs[INTERRUPTED_KEY]


def test_a_folder_that_cannot_be_written_is_no_failure_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    scoring, found = objective(checkpoint=kept_in(folder)), study()
    found.optimize(scoring, n_trials=3)
    for _ in range(4):
        shutil.move(folder, tmp_path / "away")
        with pytest.raises(OSError, match="No such file"):
            found.optimize(scoring, n_trials=1)
        assert found.trials[-1].system_attrs[INTERRUPTED_KEY]
        shutil.move(tmp_path / "away", folder)
    found.optimize(scoring, n_trials=1)
    # The score is that of the trial that could not be saved, and it is on disk by now.
    resumed = objective(checkpoint=kept_in(folder))
    assert not resumed.waiting
    assert same_bits(resumed.weights.snapshot(), scoring.weights.snapshot())
    until_scored(found, resumed, SEATS)
    undisturbed, other = searched()
    assert scores(found) == scores(other)
    assert same_bits(resumed.weights.snapshot(), undisturbed.weights.snapshot())
