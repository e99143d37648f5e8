"""Run a short training of a small segmentation network, in this process or one that is killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.evaluation.tasks.segmentation.task import SEGMENTATION
from relativenas_optuna.spaces import published
from tests.helpers.forked import context
from tests.helpers.small_standalone import arm

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.evaluation.tasks.samples import Samples

RECIPE = replace(
    SEGMENTATION.recipe,
    channels=4,
    cells=3,
    size=32,
    epochs=2,
    batch_size=4,
    validation_fraction=0.25,
)
GENOTYPE = published("RelativeNAS")


def samples(folder: Path, *, train: bool) -> Samples:
    found = SEGMENTATION.load(str(folder), RECIPE, train=train)
    assert found is not None
    return found


def train(folder: Path, out: Path, **changes: Any) -> Result:
    torch.set_num_threads(1)
    given = {name: changes.pop(name) for name in ("backbone", "on_epoch") if name in changes}
    return training_run(
        GENOTYPE,
        samples(folder, train=True),
        recipe=replace(RECIPE, **changes),
        seed=3,
        out=out,
        test=samples(folder, train=False),
        task=SEGMENTATION,
        device="cpu",
        name="small",
        **given,
    )


def _train_and_die(point: str, folder: Path, out: Path, changes: dict[str, Any]) -> None:
    arm(point)
    train(folder, out, **changes)


def killed(point: str, folder: Path, out: Path, **changes: Any) -> int | None:
    """Train in a process that dies at a point; return its exit status."""
    process = context.Process(target=_train_and_die, args=(point, folder, out, changes))
    process.start()
    process.join()
    return process.exitcode
