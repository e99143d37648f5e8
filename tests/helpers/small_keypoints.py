"""Run a short training of a small network for keypoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.evaluation.tasks.keypoints.task import KEYPOINTS
from relativenas_optuna.spaces import published

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.evaluation.tasks.samples import Samples

RECIPE = replace(
    KEYPOINTS.recipe,
    channels=4,
    cells=3,
    size=64,
    epochs=1,
    batch_size=8,
    validation_fraction=0.0,
)
GENOTYPE = published("RelativeNAS")


def samples(folder: Path, *, train: bool, **changes: Any) -> Samples:
    found = KEYPOINTS.load(str(folder), replace(RECIPE, **changes), train=train)
    assert found is not None
    return found


def train(folder: Path, out: Path, **changes: Any) -> Result:
    torch.set_num_threads(1)
    recipe = replace(RECIPE, **changes)
    test = KEYPOINTS.load(str(folder), recipe, train=False)
    return training_run(
        GENOTYPE,
        samples(folder, train=True, **changes),
        recipe=recipe,
        seed=3,
        out=out,
        test=test,
        task=KEYPOINTS,
        device="cpu",
        name="small",
    )
