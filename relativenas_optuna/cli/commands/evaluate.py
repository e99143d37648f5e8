"""The command `relativenas evaluate`: accuracy and cost of a trained network."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.help_texts import DATA_KINDS, examples
from relativenas_optuna.cli.options.common import device_option
from relativenas_optuna.cli.options.network import NetworkIn, network_argument, network_in
from relativenas_optuna.cli.output.evaluation import FILES, EvaluationReport
from relativenas_optuna.cli.output.task_evaluation import TASK_FILES, TaskEvaluationReport
from relativenas_optuna.cli.progress import counting
from relativenas_optuna.cli.terminal import console
from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION
from relativenas_optuna.search.run_folder import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    import rich.console


@click.command(
    epilog=examples(
        "relativenas evaluate relativenas-out/my-trained/network.safetensors --data my-images",
        "relativenas evaluate cifar10.pt --data cifar10     the published weights of the paper",
        "relativenas evaluate imagenet.pt --data imagenet --device cuda --out measured",
    ),
)
@network_argument
@click.option(
    "--data",
    metavar="DATA",
    required=True,
    help=f"{DATA_KINDS}; for another task the folder of its data set.",
)
@click.option(
    "--part",
    type=click.Choice(("test", "validation", "training")),
    default="test",
    show_default=True,
    help="Images to measure on. validation: the images by which the network was chosen; training: "
    "all images except the test images.",
)
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Side in pixels that images are resized to.  [default: the network's]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    default=128,
    show_default=True,
    help="Images per batch; latency is measured for one image and for one batch.",
)
@click.option(
    "--out",
    metavar="FOLDER",
    help=f"Folder for {' and '.join(FILES)}; for another task {TASK_FILES[1]}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as one line of JSON.")
@device_option
def evaluate(
    file: Path,
    architecture: str | None,
    dataset: str | None,
    device: str | None,
    *,
    space: str | None,
    task: str | None,
    data: str,
    part: str,
    size: int | None,
    batch_size: int,
    out: str | None,
    as_json: bool,
) -> None:
    """Measure the network in FILE: accuracy, confusion, parameters, multiply-adds, latency.

    A network for another task is measured by the figures of the task, such as the mean
    intersection over union, and some predictions are drawn.
    """
    if out is not None:
        make_folder(out)
    output, notices = console(), console(stderr=as_json, notices=True)
    given = network_in(file, architecture, dataset, space, task)
    own = given.description.task != CLASSIFICATION
    if own and size is not None:
        raise click.UsageError("--size is for classification: other networks keep their size")
    report: EvaluationReport | TaskEvaluationReport
    shown = shown_path(file.absolute())
    if own:
        report = _measured_task(
            notices, given, shown, device, data=data, part=part, batch=batch_size, quiet=as_json
        )
    else:
        report = _measured(
            notices,
            given,
            shown,
            device,
            data=data,
            part=part,
            size=size,
            batch_size=batch_size,
            quiet=as_json,
        )
    if out is not None:
        report.write(Path(out))
    if as_json:
        click.echo(json.dumps(report.to_data(), allow_nan=False))
        return
    for line in report.lines():
        output.print(line, soft_wrap=True)
    if out is not None:
        files = ", ".join(TASK_FILES if own else FILES)
        notices.print(f"\nwritten:   {shown_path(Path(out).absolute())}: {files}", soft_wrap=True)


def _measured(
    notices: rich.console.Console,
    given: NetworkIn,
    file: str,
    device: str | None,
    *,
    data: str,
    part: str,
    size: int | None,
    batch_size: int,
    quiet: bool,
) -> EvaluationReport:
    # These imports load PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.measurement.measure import measure
    from relativenas_optuna.evaluation.measurement.scored_images import images_to_score
    from relativenas_optuna.training.device import resolve_device

    found = resolve_device(device)
    images = images_to_score(
        given.description, data, part=part, size=size, named=given.taken_for is None
    )
    batches = -(-len(images) // batch_size)
    silence: AbstractContextManager[Callable[[], None]] = nullcontext(lambda: None)
    bar = counting(notices, f"scoring {len(images):,} images", batches)
    with silence if quiet else bar as advance:
        measured = measure(
            given.network, images, device=found, batch_size=batch_size, on_batch=advance
        )
    _, height, width = images.shape
    return EvaluationReport(
        file=file,
        taken_for=given.taken_for,
        description=replace(given.description, classes=images.classes),
        data=data,
        part=part,
        side=f"{width}x{height}",
        device=str(found),
        measured=measured,
    )


def _measured_task(
    notices: rich.console.Console,
    given: NetworkIn,
    file: str,
    device: str | None,
    *,
    data: str,
    part: str,
    batch: int,
    quiet: bool,
) -> TaskEvaluationReport:
    # These imports load PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.tasks.loading import samples_to_score
    from relativenas_optuna.evaluation.tasks.measuring import draw_predictions, measure_task
    from relativenas_optuna.evaluation.tasks.registry import task_named
    from relativenas_optuna.training.device import resolve_device

    found, description = resolve_device(device), given.description
    task = task_named(description.task)
    samples = samples_to_score(task, description, data, part=part)
    silence: AbstractContextManager[Callable[[], None]] = nullcontext(lambda: None)
    bar = counting(notices, f"scoring {len(samples):,} images", -(-len(samples) // batch))
    with silence if quiet else bar as advance:
        measured = measure_task(
            task, given.network, samples, device=found, batch_size=batch, on_batch=advance
        )
    return TaskEvaluationReport(
        file=file,
        description=description,
        protocol=task.protocol,
        data=data,
        part=part,
        device=str(found),
        measured=measured,
        drawn=draw_predictions(task, given.network, samples),
    )
