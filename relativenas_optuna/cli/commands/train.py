"""The command `relativenas train`: stand-alone training of an architecture."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.files import file_name
from relativenas_optuna._utils.limits import MAX_SEED
from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.cpu_time import LONGEST, require_patience
from relativenas_optuna.cli.help_texts import DATA_KINDS, examples
from relativenas_optuna.cli.options.common import (
    architecture_argument,
    device_option,
    space_option,
    storage_option,
    study_option,
    threads_option,
)
from relativenas_optuna.cli.options.task import (
    backbone_option,
    stand_in,
    task_option,
    task_to_train,
)
from relativenas_optuna.cli.output.training import TrainingReport
from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.evaluation.standalone.recipe_file import recipe_of
from relativenas_optuna.search.architectures import architecture_of
from relativenas_optuna.search.defaults import DEFAULT_OUT
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.study_access import study_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.result import Epoch, Result
    from relativenas_optuna.evaluation.tasks.samples import Samples
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.search.architectures import Named

_INTERRUPTED = 128 + signal.SIGINT


@click.command(
    epilog=examples(
        "relativenas train --study my                         train the best of a study",
        "relativenas train best.txt --data my-images --set epochs=50",
        "relativenas train RelativeNAS --data cifar10 --recipe cifar --device cuda",
        "relativenas train best.txt --task segmentation --data cityscapes",
        "torchrun --nproc-per-node 4 -m relativenas_optuna train RelativeNAS \\",
        "  --data imagenet --recipe imagenet --set accumulate=2",
    ),
)
@architecture_argument
@space_option
@task_option
@click.option(
    "--data",
    metavar="DATA",
    help=f"{DATA_KINDS}; for another task the folder of its data set.  [default: that of the "
    "study, otherwise digits]",
)
@backbone_option
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Side in pixels that images are resized to.  [default: the recipe's or the study's]",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help=f"Training recipe: {', '.join(RECIPES)}, or a TOML file.  [default: that of the task; for "
    "classification digits for the digits, otherwise short]",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a field of the recipe; may be repeated.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the validation split, the initial weights and the training.",
)
@click.option(
    "--out",
    metavar="FOLDER",
    help="Folder for the results.  [default: relativenas-out/NAME-trained, for another "
    "task relativenas-out/NAME-TASK]",
)
@click.option(
    "--readers",
    type=click.IntRange(0),
    metavar="N",
    help="Number of processes that read images, for recipes with random_resized_crop and for other "
    "tasks.  [default: up to 8]",
)
@click.option("--yes", is_flag=True, help=f"Train even if a CPU needs more than {LONGEST} hours.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one line of JSON.")
@threads_option
@device_option
@storage_option
@study_option
def train(
    architecture: str | None,
    storage: str,
    study: str,
    changes: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Train ARCHITECTURE from initial weights.

    Give the same command again to continue after the last complete epoch. The weights of the epoch
    with the highest validation accuracy are kept. Test images are used once, at the end. Processes
    started by torchrun train one network together.
    """
    data, size = options["data"], None
    task = task_to_train(options["task"], data=data, backbone=options["backbone"])
    named = None if task is None else stand_in(architecture)
    if named is None:
        named = architecture_of(architecture, storage=storage, study=study, space=options["space"])
    if data is None:
        of_study = _data_of(storage, study) if architecture is None else None
        data, size = of_study or ("digits", None)
    if options["size"] is not None:
        changes = (*changes, f"size={options['size']}")
    default = None if task is None else task.recipe
    recipe = recipe_of(options["recipe"], changes, data=data, size=size, default=default)
    ending = "trained" if task is None else task.name
    out = Path(options["out"] or Path(DEFAULT_OUT, f"{file_name(named.name)}-{ending}"))
    first = os.environ.get("RANK", "0") == "0"
    report = TrainingReport(quiet=as_json or not first, first=first)
    result = _train(report, named, recipe, task, data=data, out=out, options=options)
    if as_json and first:
        shown = {"architecture": named.genotype.to_text(), "recipe": asdict(recipe), "data": data}
        click.echo(json.dumps(shown | result.to_data() | {"network": str(result.network)}))


def _train(
    report: TrainingReport,
    named: Named,
    recipe: Recipe,
    task: Task | None,
    *,
    data: str,
    out: Path,
    options: dict[str, Any],
) -> Result:
    # These imports load PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.standalone.distributed import local_rank, process_count
    from relativenas_optuna.evaluation.standalone.estimate import seconds_of_epoch
    from relativenas_optuna.evaluation.standalone.images import images_for
    from relativenas_optuna.evaluation.standalone.run import training_run
    from relativenas_optuna.evaluation.standalone.setup import counts
    from relativenas_optuna.evaluation.standalone.threads import set_training_threads
    from relativenas_optuna.evaluation.tasks.loading import samples_for
    from relativenas_optuna.training.device import resolve_device

    device = resolve_device(options["device"], index=local_rank())  # before the data
    seed, readers = options["seed"], options["readers"]
    training: AnyImages | Samples
    test: AnyImages | Samples | None
    if task is None:
        training, test = images_for(recipe, data, readers=readers)
    else:
        training, test = samples_for(task, recipe, data, readers=readers)
    report.preparing(named, recipe, data=data, seed=seed, device=device)
    trained, validated = counts(training, recipe, seed=seed)
    report.images(trained, validated, 0 if test is None else len(test), len(training.classes))
    report.threads(
        set_training_threads(
            named.genotype,
            training,
            recipe,
            out=out,
            device=device,
            given=options["threads"],
            task=task,
        )
    )
    done = 0

    def begin(history: Sequence[Epoch]) -> None:
        nonlocal done
        done = len(history)
        left = recipe.epochs - done
        if device.type == "cpu" and left and not options["yes"]:
            seconds = seconds_of_epoch(
                named.genotype, training, recipe=recipe, device=device, task=task
            )
            require_patience(seconds / process_count(), left)
        progress.begin(history)

    def after(epoch: Epoch) -> None:
        nonlocal done
        done = epoch.epoch + 1
        progress.epoch(epoch)

    progress = report.progress(recipe.epochs, trained)
    try:
        with progress:
            result = training_run(
                named.genotype,
                training,
                recipe=recipe,
                seed=seed,
                out=out,
                test=test,
                task=task,
                backbone=options["backbone"],
                device=device,
                name=named.name,
                on_begin=begin,
                on_batch=progress.batch,
                on_epoch=after,
            )
    except KeyboardInterrupt:
        saved = f"{done} of {recipe.epochs} epochs are saved in {shown_path(out.absolute())}"
        if process_count() > 1:  # the command without torchrun would be another training
            report.interrupted(f"{saved}; the same torchrun command continues")
            sys.exit(_INTERRUPTED)
        raise Interrupted(saved) from None
    report.ended(result, named.genotype, data=data, out=out, task=options["task"])
    return result


def _data_of(storage: str, study: str) -> tuple[str, int | None] | None:
    """Return the data and image size of a study's search; None for a study of another program."""
    with study_at(storage, study, read_only=True) as found:
        plan = SearchPlan.stored_in(found)
    return None if plan is None else (plan.data, plan.size)
