"""The progress bar of a training."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from relativenas_optuna.cli.progress import TrainingProgress
from relativenas_optuna.evaluation.standalone.result import Epoch


def epoch(number: int, accuracy: float | None) -> Epoch:
    return Epoch(
        epoch=number,
        learning_rate=0.1,
        drop_path=0.0,
        training_loss=0.5,
        training_accuracy=0.75,
        validation_loss=None if accuracy is None else 0.25,
        validation_accuracy=accuracy,
        seconds=1.0,
    )


@pytest.mark.parametrize("accuracy", [0.8125, None])
def test_in_a_terminal_a_bar_shows_how_far_it_is(accuracy: float | None) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, color_system=None)
    progress: Any = TrainingProgress(console, epochs=4, images=10)
    with progress:
        progress.begin([epoch(0, accuracy)])
        progress.batch(5)
        (task,) = progress._progress.tasks
        assert task.completed == 1.5
        progress.epoch(epoch(1, None if accuracy is None else 0.5))
        assert task.completed == 2
    shown = file.getvalue()
    assert "going on after 1 of 4 epochs" in shown
    assert "epoch 3/4" in shown
    assert ("best accuracy 81.25 %" in shown) == (accuracy is not None)
    assert ("validation loss 0.2500, accuracy 50.00 %" in shown) == (accuracy is not None)


def test_a_line_of_an_epoch_stays_one_in_a_file() -> None:
    file = io.StringIO()
    with TrainingProgress(Console(file=file, width=40), epochs=4, images=10) as progress:
        progress.epoch(epoch(1, 0.5))
    line = "epoch 2: loss 0.5000, accuracy 75.00 %; validation loss 0.2500, accuracy 50.00 %"
    assert file.getvalue().strip() == line
