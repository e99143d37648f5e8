"""Which epoch's weights a training keeps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from relativenas_optuna.evaluation.standalone.result import Epoch
from relativenas_optuna.evaluation.standalone.state import State


@pytest.mark.parametrize(
    ("precisions", "kept"), [([0.0, 0.0, 0.0], 2), ([0.1, 0.4, 0.4, 0.2], 2), ([0.5, 0.4], 0)]
)
def test_the_last_of_the_epochs_with_the_best_main_figure_is_kept(
    precisions: list[float], kept: int
) -> None:
    state = State(arguments={})
    network = nn.Linear(1, 1)
    for number, precision in enumerate(precisions):
        nn.init.constant_(network.bias, number)
        state.add(
            Epoch(
                epoch=number,
                learning_rate=0.1,
                drop_path=0.0,
                training_loss=1.0,
                training_accuracy=None,
                validation_loss=None,
                validation_accuracy=None,
                validation_figures={"AP": precision, "AR": -number},
                seconds=1.0,
            ),
            network,
        )
    assert state.kept_epoch == kept
    assert torch.equal(state.kept["bias"], torch.tensor([float(kept)]))
