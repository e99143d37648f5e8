"""Run the trainings of `relativenas compare`: conditions, threads and progress."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.progress import counting
from relativenas_optuna.evaluation.comparison.baseline import baseline_name

if TYPE_CHECKING:
    from pathlib import Path

    import optuna
    import rich.console

    from relativenas_optuna.evaluation.comparison.contestants import Contestant
    from relativenas_optuna.evaluation.comparison.equal_time import EqualTime
    from relativenas_optuna.evaluation.comparison.report import Comparison
    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.search.architectures import Named
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.threads import ThreadChoice

    PairOfImages = tuple[AnyImages, AnyImages]

_THREADS = "relative_nas:compare_threads"


@dataclass(frozen=True, kw_only=True)
class ComparedSearch:
    """The search whose result is compared.

    Attributes:
        storage: URL of the storage of the study.
        study: Study of the search.
        plan: Plan of the search.
        best: Best architecture of the search.
        published: Published architecture to compare with.
        out: Folder of the comparison.
        as_json: True if standard output is for JSON only.
        notices: Console for messages.
    """

    storage: str
    study: optuna.Study
    plan: SearchPlan
    best: AnyGenotype
    published: Named
    out: Path
    as_json: bool
    notices: rich.console.Console


def prepared(plan: SearchPlan, out: Path, options: dict[str, Any]) -> tuple[Conditions, Any]:
    """Return the conditions and the training and test images of all trainings of a comparison.

    Args:
        plan: Plan of the search.
        out: Folder of the comparison.
        options: Options of the command.

    Raises:
        ValueError: The recipe is wrong, or does not fit the images.
        DataError: The images are missing, or have no test part that the comparison needs.
    """
    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.recipe_file import recipe_of
    from relativenas_optuna.evaluation.standalone.setup import check_fit
    from relativenas_optuna.training.device import resolve_device

    data, timed = options["data"] or plan.data, bool(options["against"])
    recipe = recipe_of(options["recipe"], options["changes"], data=data, size=plan.size)
    conditions = Conditions(
        data=data,
        recipe=recipe,
        device=str(resolve_device(options["device"])),
        out=out / "trainings",
        holds_out=timed,
    )
    images = conditions.images()
    check_fit(conditions.recipe, *images)
    return conditions, images


def set_comparison_threads(
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


def compared_alike(
    notices: rich.console.Console,
    everyone: list[Contestant],
    conditions: Conditions,
    images: PairOfImages,
    *,
    study: str,
    options: dict[str, Any],
    time: EqualTime | None = None,
) -> Comparison:
    """Train all architectures under a progress bar, and return the comparison.

    Args:
        notices: Console for the progress.
        everyone: The contestants.
        conditions: Conditions of all trainings.
        images: Training images and test images.
        study: Name of the study.
        options: Options of the command.
        time: Plan of trainings with equal time; None if all have the epochs of the recipe.

    Raises:
        Interrupted: A signal interrupted the trainings; the message says what was saved.
    """
    from relativenas_optuna.evaluation.comparison.contestants import (
        compared,
        training_jobs,
        training_of,
    )
    from relativenas_optuna.evaluation.comparison.latencies import latencies
    from relativenas_optuna.evaluation.comparison.report import Comparison, training_line
    from relativenas_optuna.evaluation.comparison.workers import train_all
    from relativenas_optuna.evaluation.standalone.images import has_test

    seeds = range(options["seed"], options["seed"] + options["seeds"])
    jobs, results = training_jobs(everyone, seeds), {}
    bar = counting(notices, f"training {len(everyone)} architectures", len(jobs))
    try:
        with bar as advance:
            for job, result in train_all(conditions, images, jobs, workers=options["workers"]):
                results[job] = result
                advance()
                line = training_line(jobs[job], training_of(result))
                notices.print(f"{len(results)} of {len(jobs)}: {line}", soft_wrap=True)
            measured = (
                {}
                if time is None
                else latencies((one.genotype for one in everyone), conditions, images[0])
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(results)} of {len(jobs)} trainings are over, and the whole epochs of others are "
            f"saved in {shown_path(conditions.out)}"
        ) from None
    recipe = asdict(conditions.recipe)
    if time is not None:
        del recipe["epochs"]  # each architecture has its own number
    return Comparison(
        study=study,
        data=conditions.data,
        recipe=recipe,
        seeds=tuple(seeds),
        baseline=None if options["no_baseline"] or time is not None else baseline_name(study),
        compared=compared(everyone, seeds, results, measured),
        seconds=None if time is None else time.seconds,
        search_seconds=None if time is None else time.search_seconds,
        held_out=conditions.holds_out and not has_test(conditions.data),
    )
