"""The command `relativenas compare`: the result of a search compared with baselines."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.cpu_time import announce_trainings
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import (
    device_option,
    storage_option,
    study_option,
    threads_option,
)
from relativenas_optuna.cli.output.search import Console
from relativenas_optuna.cli.progress import counting
from relativenas_optuna.cli.run_search import baseline_architecture
from relativenas_optuna.cli.terminal import console
from relativenas_optuna.evaluation.comparison.baseline import baseline_name
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.architectures import published_of, scored_architectures
from relativenas_optuna.search.defaults import DATA_NAMES
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.run_folder import empty_folders_removed, locked, make_folder
from relativenas_optuna.search.study_access import check_study, study_at

if TYPE_CHECKING:
    import optuna
    import rich.console

    from relativenas_optuna.evaluation.comparison.contestants import Contestant
    from relativenas_optuna.evaluation.comparison.report import Comparison
    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.threads import ThreadChoice

_MOST = 1000
_FOLDER = "compare"
_THREADS = "relative_nas:compare_threads"


@click.command(
    epilog=examples(
        "relativenas compare --study my",
        "relativenas compare --study my --random 10 --seeds 3 --workers 2",
        "relativenas compare --study my --recipe short --set epochs=100",
        "relativenas show --study my-random            show the result of the random search",
    ),
)
@storage_option
@study_option
@click.option(
    "--random",
    type=click.IntRange(1, _MOST),
    metavar="N",
    default=5,
    show_default=True,
    help="Number of architectures drawn at random from the study's space.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, _MOST),
    metavar="N",
    default=2,
    show_default=True,
    help="Number of trainings of each architecture; their seeds are 0, 1, 2 and so on.",
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
    help="Folder for tables, figures and trainings.  [default: compare in the study's folder]",
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
    weights with one recipe and the same seeds, and tested on images that influenced no choice.

    The random search is stored in study NAME-random. Give the same command again to continue after
    an interruption.
    """
    notices = console(stderr=as_json, notices=True)
    published = published_of(options["published"])
    with study_at(storage, study, create=False) as found:
        plan = SearchPlan.stored_in(found)
        if plan is None:
            raise SearchError(
                f"study {study!r} was not searched by `relativenas search`, so that nothing is "
                f"known of its images: name another --study"
            )
        check_study(found, plan.search_space)
        plan = _with_images_of_now(plan, options["data"], study)
        best = next(iter(scored_architectures(found)))
        out = Path(options["out"] or Path(plan.out, _FOLDER)).absolute()
        with empty_folders_removed(str(out)), ExitStack() as stack:
            make_folder(str(out))
            stack.enter_context(locked(str(out), use="compared", option="--out"))
            conditions, images = _prepared(plan, out, options)
            line = _set_threads(found, best, conditions, images[0], options)
            if line is not None:
                notices.print(line, soft_wrap=True)
            if conditions.device == "cpu":
                announce_trainings(notices, best, conditions, images[0], options)
            drawn = None
            if not options["no_baseline"]:
                watch = Console(storage=storage, study=baseline_name(study), stderr=as_json)
                drawn = baseline_architecture(
                    found._storage,
                    found,
                    plan,
                    console=watch,
                    device=options["device"],
                    threads=options["threads"],
                )
                _set_threads(found, best, conditions, images[0], options)
            # This import loads PyTorch, which takes seconds, so commands without it start fast.
            from relativenas_optuna.cli.output.comparison import FILES, show, write
            from relativenas_optuna.evaluation.comparison.contestants import contestants

            everyone = contestants(
                plan, found=best, drawn=drawn, published=published, random=options["random"]
            )
            comparison = _compared(
                notices, everyone, conditions, images, study=study, options=options
            )
            write(comparison, out)
    if as_json:
        click.echo(json.dumps(comparison.to_data(), allow_nan=False))
    else:
        show(comparison, console())
        files = ", ".join(FILES)
        notices.print(f"\nwritten:    {shown_path(out)}: {files}", soft_wrap=True)


def _with_images_of_now(plan: SearchPlan, data: str | None, study: str) -> SearchPlan:
    """Return the plan with the path in `data` if its images are not where they were."""
    if data is None or {data, plan.data} & {*DATA_NAMES} or Path(plan.data).exists():
        return plan
    return plan.for_request(SearchRequest(data=data), study)


def _prepared(
    plan: SearchPlan, out: Path, options: dict[str, Any]
) -> tuple[Conditions, tuple[AnyImages, AnyImages]]:
    """Return the conditions and images of all trainings; raise before the random search."""
    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.recipe_file import recipe_of
    from relativenas_optuna.evaluation.standalone.setup import check_fit
    from relativenas_optuna.training.device import resolve_device

    data = options["data"] or plan.data
    recipe = recipe_of(options["recipe"], options["changes"], data=data, size=plan.size)
    conditions = Conditions(
        data=data,
        recipe=recipe,
        device=str(resolve_device(options["device"])),
        out=out / "trainings",
    )
    images = conditions.images()
    check_fit(conditions.recipe, *images)
    return conditions, images


def _set_threads(
    study: optuna.Study,
    genotype: AnyGenotype,
    conditions: Conditions,
    training: AnyImages,
    options: dict[str, Any],
) -> str | None:
    """Set the number of CPU threads of each training, and return one line for people."""
    from relativenas_optuna.evaluation.standalone.estimate import choose_training_threads
    from relativenas_optuna.search.threads import set_study_threads

    def measure(most: int) -> ThreadChoice:
        return choose_training_threads(genotype, training, recipe=conditions.recipe, most=most)

    return set_study_threads(
        study,
        options["threads"],
        device=conditions.device,
        workers=options["workers"],
        attribute=_THREADS,
        measure=measure,
    )


def _compared(
    notices: rich.console.Console,
    everyone: list[Contestant],
    conditions: Conditions,
    images: tuple[AnyImages, AnyImages],
    *,
    study: str,
    options: dict[str, Any],
) -> Comparison:
    """Train all architectures under a progress bar, and return the comparison."""
    from relativenas_optuna.evaluation.comparison.contestants import (
        compared,
        training_jobs,
        training_of,
    )
    from relativenas_optuna.evaluation.comparison.report import Comparison, training_line
    from relativenas_optuna.evaluation.comparison.workers import train_all

    seeds = range(options["seeds"])
    jobs, results = training_jobs(everyone, seeds), {}
    bar = counting(notices, f"training {len(everyone)} architectures", len(jobs))
    try:
        with bar as advance:
            for job, result in train_all(conditions, images, jobs, workers=options["workers"]):
                results[job] = result
                advance()
                line = training_line(jobs[job], training_of(result))
                notices.print(f"{len(results)} of {len(jobs)}: {line}", soft_wrap=True)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(results)} of {len(jobs)} trainings are over, and the whole epochs of others are "
            f"saved in {shown_path(conditions.out)}"
        ) from None
    return Comparison(
        study=study,
        data=conditions.data,
        recipe=asdict(conditions.recipe),
        seeds=tuple(seeds),
        baseline=None if options["no_baseline"] else baseline_name(study),
        compared=compared(everyone, seeds, results),
    )
