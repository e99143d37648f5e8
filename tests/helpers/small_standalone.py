"""Run the smallest stand-alone training, in this process or in one that is killed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from relativenas_optuna.evaluation.standalone import log, run
from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.evaluation.standalone.result import Result
from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.networks import NetworkDescription
from relativenas_optuna.spaces import CellSpace
from relativenas_optuna.training import load
from relativenas_optuna.training.data.image_set import ImageSet
from tests.helpers import faults
from tests.helpers.forked import context
from tests.helpers.killed_search import die, dying
from tests.helpers.tiny_search import tiny_images

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPE = Recipe(
    channels=2,
    cells=3,
    epochs=3,
    batch_size=8,
    auxiliary=0.0,
    drop_path=0.3,
    padding=1,
    cutout=2,
    label_smoothing=0.1,
    validation_fraction=0.3,
)
GENOTYPE = CellSpace(nodes=2).random(np.random.default_rng(4))
"""One that does not read all of its inputs."""
SEED = 5
DESCRIPTION = NetworkDescription(
    genotype=GENOTYPE,
    dataset="cifar10",
    channels=2,
    cells=3,
    in_channels=3,
    classes=("class0", "class1"),
    auxiliary=False,
    mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.3, 0.4),
    size=(8, 8),
)
"""Description of a small network for the images of `tests.helpers.command.write_images`."""


def train(
    out: Path,
    *,
    data: ImageSet | None = None,
    test: ImageSet | None = None,
    seed: int = SEED,
    seconds: float | None = None,
    device: str = "cpu",
    on_epoch: Callable[[Any], None] | None = None,
    **changes: Any,
) -> Result:
    torch.set_num_threads(1)
    return training_run(
        GENOTYPE,
        tiny_images(60) if data is None else data,
        recipe=replace(RECIPE, **changes),
        seed=seed,
        out=out,
        test=test,
        seconds=seconds,
        device=device,
        name="tiny",
        on_epoch=on_epoch,
    )


def weights(out: Path) -> dict[str, Any]:
    """Return all tensors that a training stored, by name."""
    of_state, of_network = load(out / "state.safetensors")[0], load(out / run.NETWORK)[0]
    return of_state | {f"final.{name}": tensor for name, tensor in of_network.items()}


def figures(out: Path) -> Any:
    """Return all figures that a training stored, without times and folders."""
    logged = [json.loads(line) for line in (out / log.LINES).read_text().splitlines()]
    stored = json.loads(load(out / "state.safetensors")[1]["training"])
    result = Result.read(out)
    assert result is not None
    found = [*logged, *stored["history"], asdict(result) | {"network": result.network.name}]
    for figure in found:
        assert figure.pop("seconds") > 0
    return found, stored["kept_epoch"], stored["arguments"]


def arm(point: str) -> None:
    """Let the process die at a point of its training."""
    name, _, number = point.partition(":")
    times = int(number or 1)
    if name in faults.POINTS:
        faults.arm(point)
    elif name == "step":
        torch.optim.SGD.step = dying(torch.optim.SGD.step, times, after=True)  # type: ignore[method-assign]
    elif name == "log":
        log.Log.after = dying(log.Log.after, times, after=False)  # type: ignore[method-assign]
    elif name == "result":
        Result.write = dying(Result.write, times, after=False)  # type: ignore[method-assign]
    elif name == "result-written":
        Result.write = dying(Result.write, times, after=True)  # type: ignore[method-assign]


def _train_and_die(point: str, out: Path, changes: dict[str, Any]) -> None:
    arm(point)
    told = 0

    def after(_: Any) -> None:
        nonlocal told
        told += 1
        if point == f"told:{told}":
            die()

    train(out, test=tiny_images(20), on_epoch=after, **changes)


def killed(point: str, out: Path, **changes: Any) -> int:
    """Train in a process that dies at a point; its exit status."""
    process = context.Process(target=_train_and_die, args=(point, out, changes))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode
