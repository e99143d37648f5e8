"""The command `relativenas search`."""

from __future__ import annotations

import json
from typing import Any

import click

from relativenas_optuna._utils.limits import MAX_SEED
from relativenas_optuna.cli.help_texts import DATA_KINDS, examples
from relativenas_optuna.cli.options.common import (
    device_option,
    duration_value,
    json_option,
    space_option,
    storage_option,
    study_option,
    threads_option,
    weights_option,
)
from relativenas_optuna.cli.options.limits import limit_options, limit_request
from relativenas_optuna.objective.settings import PRECISIONS, PRESETS
from relativenas_optuna.search.defaults import RELATIVENAS, SAMPLERS
from relativenas_optuna.search.finals.settings import MOST_ENTRANTS, SMALL, TARGETS


@click.command(
    epilog=examples(
        "relativenas search",
        "relativenas search --data my-images --study mine",
        "relativenas search --study mine --generations 20",
        "relativenas search --data my-images --study mine --time 30m",
        "relativenas search --space nasbench201 --study nb",
        "relativenas search --data my-images --study mine --for full",
        "relativenas search --max-parameters 3e6 --limit-channels 36 --limit-cells 20",
        "relativenas search --data cifar10 --preset paper --study c10 --device cuda",
    )
)
@click.option(
    "--data",
    metavar="DATA",
    help=f"{DATA_KINDS}.  [default: digits]",
)
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Side in pixels that images are resized to.  [default: no resizing; the median of the "
    "shorter sides, at most 64, for images of different sizes]",
)
@space_option
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Set of default settings.  [default: digits for the digits, otherwise small]",
)
@click.option(
    "--population",
    type=int,
    metavar="N",
    help="Number of architectures in a generation: even, or with sampler migo at least the number "
    "of choices of every parameter.  [default: the preset's, or that number if it is larger]",
)
@click.option(
    "--generations",
    type=int,
    metavar="N",
    help="Total number of generations; a larger number extends a finished search.  "
    "[default: the preset's]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    metavar="N",
    help="Seed of all random numbers, 0 to 2**32 - 1.  [default: 0]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Number format of the training: bfloat16 is faster on GPUs that support it, and slower "
    "on most CPUs.  "
    "[default: float32]",
)
@click.option(
    "--sampler",
    metavar="NAME",
    help=f"Sampler that proposes the architectures: {', '.join(SAMPLERS)} (the last two are "
    "baselines), or MODULE:CLASS of any sampler of Optuna, such as optuna.samplers:TPESampler.  "
    f"[default: {RELATIVENAS}]",
)
@limit_options
@click.option(
    "--finals",
    type=int,
    metavar="N",
    help=f"Number of architectures, 2 to {MOST_ENTRANTS}, that are trained stand-alone at "
    "the end to choose the winner; 0 to choose it by the score with shared weights.  "
    "[default: the preset's]",
)
@click.option(
    "--for",
    "target",
    type=click.Choice(TARGETS),
    help="Network that the finals choose for: small, of about the size that the finals train; or "
    "full, trained long and at full size, where larger architectures gain more.  "
    f"[default: {SMALL}]",
)
@click.option(
    "--time",
    metavar="TIME",
    callback=lambda _context, _option, value: duration_value(value),
    help="Wall time of the whole search, such as 90s, 10m or 1.5h, instead of --generations: the "
    "search measures its speed, and plans the training of the shared weights, the generations and "
    "the finals. More time extends a finished search.  [default: no limit]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of processes on this machine that search together; `relativenas worker` adds "
    "more, also on other machines.",
)
@threads_option
@device_option
@storage_option
@study_option
@click.option(
    "--out",
    metavar="FOLDER",
    help="Folder for weights and results.  [default: relativenas-out/STUDY]",
)
@weights_option
@json_option
def search(
    storage: str,
    study: str,
    device: str | None,
    *,
    workers: int,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Search for an architecture on an image data set.

    Give the same command again to continue after Ctrl-C or a crash. The study stores its settings,
    so --study is enough to continue. A study created by `optuna create-study` is accepted too.
    """
    # Imported here, because these modules load Optuna, and help and Tab completion need to be fast.
    from relativenas_optuna.cli.output.search import Console
    from relativenas_optuna.cli.run_search import searched
    from relativenas_optuna.search.request import SearchRequest

    limits = limit_request(options)
    names = (
        *("data", "size", "preset", "seed", "out", "weights", "space", "sampler"),
        *("finals", "target", "time"),
    )
    request = SearchRequest(
        **{name: options[name] for name in names},
        limits=limits,
        settings={n: v for n, v in options.items() if n not in names and v is not None},
    )
    console = Console(storage=storage, study=study, stderr=as_json)
    choice = searched(console, request, device, workers, threads)
    if as_json:
        click.echo(json.dumps({"study": study} | choice.to_data(), allow_nan=False))
