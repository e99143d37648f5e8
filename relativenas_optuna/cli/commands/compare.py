"""The command `relativenas compare`: the result of a search compared with baselines."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.limits import MAX_SEED
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.cpu_time import announce_trainings
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import (
    device_option,
    duration_value,
    storage_option,
    study_option,
    threads_option,
)
from relativenas_optuna.cli.output.search import Console
from relativenas_optuna.cli.run_against import compared_in_time
from relativenas_optuna.cli.run_comparison import (
    ComparedSearch,
    compared_alike,
    prepared,
    set_comparison_threads,
)
from relativenas_optuna.cli.run_search import baseline_architecture
from relativenas_optuna.cli.terminal import console
from relativenas_optuna.evaluation.comparison.baseline import baseline_name
from relativenas_optuna.evaluation.comparison.figures import SMALL_IMAGE, STEMS
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.architectures import published_of, scored_architectures
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.run_folder import empty_folders_removed, locked, make_folder
from relativenas_optuna.search.study_access import check_study, study_at
from relativenas_optuna.training.data.data_names import absolute_source, has_path, is_missing

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.comparison.report import Comparison
    from relativenas_optuna.evaluation.comparison.workers import Conditions

_MOST = 1000
_FOLDER, _AGAINST = "compare", "against"
_RANDOM = 5


@click.command(
    epilog=examples(
        "relativenas compare --study my",
        "relativenas compare --study my --random 10 --seeds 3 --workers 2",
        "relativenas compare --study my --recipe short --set epochs=100",
        "relativenas compare --study my --against resnet18 --against mobilenet_v3_small --time 10m",
        "relativenas show --study my-random            show the result of the random search",
    ),
)
@storage_option
@study_option
@click.option(
    "--against",
    metavar="NETWORK",
    multiple=True,
    help="Classification network of torchvision to compare with, such as resnet18 or "
    "mobilenet_v3_small; may be repeated. All get the same wall time.",
)
@click.option(
    "--time",
    metavar="TIME",
    callback=lambda _context, _option, value: duration_value(value),
    help="Wall time of each architecture with --against, such as 90s, 10m or 1.5h; for the found "
    "one it includes the search.  [default: the time of the search and of the recipe's training]",
)
@click.option(
    "--stem",
    type=click.Choice(STEMS),
    help="First layers of the networks of --against: torchvision (unchanged); small (a 3x3 "
    "convolution of stride 1, no pooling); or both, each in its own row.  [default: both for "
    f"images under {SMALL_IMAGE} pixels if the time is enough, otherwise torchvision]",
)
@click.option(
    "--random",
    type=click.IntRange(1, _MOST),
    metavar="N",
    help="Number of architectures drawn at random from the study's space.  "
    f"[default: {_RANDOM}; none with --against]",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, _MOST),
    metavar="N",
    default=2,
    show_default=True,
    help="Number of trainings of each architecture; their seeds are --seed, --seed + 1 and so on.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED - _MOST),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the first training of each architecture.",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="Recipe of all trainings; see `relativenas train`.  [default: digits for the digits, "
    "otherwise short]",
)
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    multiple=True,
    help="Change a field of the recipe; may be repeated.",
)
@click.option(
    "--data", metavar="DATA", help="Images to train on and to test with.  [default: the study's]"
)
@click.option(
    "--published",
    metavar="NAME",
    default="RelativeNAS",
    show_default=True,
    help="Published architecture to compare with.",
)
@click.option("--no-baseline", is_flag=True, help="Leave out the random search.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of trainings at the same time, each in its own process.",
)
@click.option(
    "--out",
    metavar="FOLDER",
    help="Folder for tables, figures and trainings.  [default: compare in the study's folder; with "
    "--against, against]",
)
@click.option("--yes", is_flag=True, help="Train even if a CPU needs more than a day.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@threads_option
@device_option
def compare(storage: str, study: str, as_json: bool, **options: Any) -> None:
    """Train the result of a search and its baselines, and compare them.

    There are three baselines: the best architecture of a random search, a published architecture,
    and architectures drawn at random from the study's space. The random search has the same weight
    sharing, number of candidates and learning rates. All architectures are trained from initial
    weights with one recipe and the same seeds, and tested on images that influenced no choice. The
    random search is stored in study NAME-random.

    With --against the baselines are networks of torchvision and the published architecture. All
    get the same wall time. For the found architecture it includes the search.

    Give the same command again to continue after an interruption.
    """
    _check_together(options)
    notices = console(stderr=as_json, notices=True)
    published = published_of(options["published"])
    with study_at(storage, study, create=False) as found:
        plan = SearchPlan.stored_in(found)
        if plan is None:
            raise SearchError(
                f"study {study!r} was not searched by `relativenas search`, so its "
                f"images are not known: pass another --study"
            )
        check_study(found, plan.search_space)
        plan = _with_images_of_now(plan, options["data"], study)
        best = next(iter(scored_architectures(found)))
        folder = _AGAINST if options["against"] else _FOLDER
        out = Path(options["out"] or Path(plan.out, folder)).absolute()
        with empty_folders_removed(str(out)), ExitStack() as stack:
            make_folder(str(out))
            stack.enter_context(locked(str(out), use="compared", option="--out"))
            conditions, images = prepared(plan, out, options)
            # These imports load PyTorch, which takes seconds.
            from relativenas_optuna.cli.output.comparison import FILES, show, write

            line = set_comparison_threads(found, best, conditions, images[0], options)
            if line is not None:
                notices.print(line, soft_wrap=True)
            compared = compared_in_time if options["against"] else _compared_by_recipe
            search = ComparedSearch(
                storage=storage,
                study=found,
                plan=plan,
                best=best,
                published=published,
                out=out,
                as_json=as_json,
                notices=notices,
            )
            comparison = compared(search, conditions, images, options)
            write(comparison, out)
    if as_json:
        click.echo(json.dumps(comparison.to_data(), allow_nan=False))
    else:
        show(comparison, console())
        files = ", ".join(FILES)
        notices.print(f"\nwritten:    {shown_path(out)}: {files}", soft_wrap=True)


def _compared_by_recipe(
    of: ComparedSearch, conditions: Conditions, images: Any, options: dict[str, Any]
) -> Comparison:
    """Compare with a random search and random architectures, all with the recipe's epochs."""
    from relativenas_optuna.evaluation.comparison.contestants import contestants

    if conditions.device == "cpu":
        announce_trainings(of.notices, of.best, conditions, images[0], options)
    drawn, study = None, of.study.study_name
    if not options["no_baseline"]:
        drawn = baseline_architecture(
            of.study._storage,
            of.study,
            of.plan,
            console=Console(storage=of.storage, study=baseline_name(study), stderr=of.as_json),
            device=options["device"],
            threads=options["threads"],
        )
        set_comparison_threads(of.study, of.best, conditions, images[0], options)
    everyone = contestants(
        of.plan, found=of.best, drawn=drawn, published=of.published, random=options["random"]
    )
    return compared_alike(of.notices, everyone, conditions, images, study=study, options=options)


def _check_together(options: dict[str, Any]) -> None:
    """Set the number of random architectures, and raise if options do not go together."""
    for name in ("time", "stem"):
        if not options["against"] and options[name] is not None:
            raise SearchError(
                f"--{name} needs --against NETWORK, such as --against resnet18: give it, or leave "
                f"--{name} out"
            )
    if options["random"] is None:
        options["random"] = 0 if options["against"] else _RANDOM


def _with_images_of_now(plan: SearchPlan, data: str | None, study: str) -> SearchPlan:
    """Return the plan with the path in `data` if its images are not where they were."""
    if data is None or not is_missing(plan.data) or not has_path(absolute_source(data)):
        return plan
    return plan.for_request(SearchRequest(data=data), study)
