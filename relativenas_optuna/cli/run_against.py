"""Run a comparison with networks of torchvision in which all have the same wall time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.durations import short_time
from relativenas_optuna._utils.text import duration
from relativenas_optuna.cli.cpu_time import require_patience
from relativenas_optuna.cli.run_comparison import ComparedSearch, compared_alike
from relativenas_optuna.search.time_used import seconds_used

if TYPE_CHECKING:
    from pathlib import Path

    import optuna
    import rich.console

    from relativenas_optuna.evaluation.comparison.contestants import Contestant
    from relativenas_optuna.evaluation.comparison.equal_time import EqualTime
    from relativenas_optuna.evaluation.comparison.report import Comparison
    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


def compared_in_time(
    of: ComparedSearch,
    conditions: Conditions,
    images: tuple[AnyImages, AnyImages],
    options: dict[str, Any],
) -> Comparison:
    """Compare with networks of torchvision, all with the same wall time.

    Args:
        of: The search.
        conditions: Conditions of the trainings, without a time.
        images: Training images and test images.
        options: Options of the command.

    Raises:
        SearchError: The time is too short, or the folder holds another comparison.
        ValueError: A network is unknown, or does not take these images.
    """
    from relativenas_optuna.evaluation.comparison.contestants import contestants
    from relativenas_optuna.evaluation.comparison.rivals import rivals

    others = rivals(options["against"], stem=options["stem"], shape=images[0].shape)
    everyone = contestants(
        of.plan,
        found=of.best,
        drawn=None,
        published=of.published,
        random=options["random"],
        rivals=others,
    )
    time, conditions, everyone = _with_equal_time(
        of.notices, of.study, everyone, conditions, images, out=of.out, options=options
    )
    return compared_alike(
        of.notices,
        everyone,
        conditions,
        images,
        study=of.study.study_name,
        options=options,
        time=time,
    )


def _with_equal_time(
    notices: rich.console.Console,
    study: optuna.Study,
    everyone: list[Contestant],
    conditions: Conditions,
    images: tuple[AnyImages, AnyImages],
    *,
    out: Path,
    options: dict[str, Any],
) -> tuple[EqualTime, Conditions, list[Contestant]]:
    """Plan trainings of equal time, say so, and store the plan in the folder of the comparison.

    Args:
        notices: Console to print on.
        study: Study of the search.
        everyone: The contestants; the first one is the found architecture.
        conditions: Conditions of the trainings, without a time.
        images: Training images and test images.
        out: Folder of the comparison.
        options: Options of the command.

    Returns:
        The plan, the conditions with the planned times, and the contestants that take part.

    Raises:
        SearchError: The time is too short, or the folder holds another comparison.
    """
    import torch

    from relativenas_optuna.evaluation.comparison.equal_time import planned_time
    from relativenas_optuna.evaluation.standalone.estimate import measured_epoch

    def epoch_seconds(genotype: AnyGenotype) -> float:
        return measured_epoch(
            genotype,
            images[0],
            recipe=conditions.recipe_of(genotype),
            seed=options["seed"],
            device=torch.device(conditions.device),
        )

    found = everyone[0].genotype
    time = planned_time(
        out,
        found=found,
        search_seconds=seconds_used(study),
        seconds=options["time"],
        training_seconds=lambda: conditions.recipe.epochs * epoch_seconds(found),
        study_name=study.study_name,
    )
    time, part, left_out = time.with_contestants(everyone, epoch_seconds)
    for one in left_out:
        epoch = time.epochs[one.genotype.to_text()]
        notices.print(
            f"{one.name} is left out, because an epoch takes {short_time(epoch)}",
            soft_wrap=True,
        )
    trainings = options["seeds"] * len(part)
    most = trainings * time.seconds / options["workers"]
    if conditions.device == "cpu" and not options["yes"]:
        require_patience(most / trainings, trainings, unit="trainings", shorter="less --time")
    notices.print(
        f"{trainings} trainings of {short_time(time.seconds)} each, less "
        f"{short_time(time.search_seconds)} of search for the found architecture; "
        f"in all up to about {duration(most)}",
        soft_wrap=True,
    )
    time.write(out)
    seconds = {text: time.training_seconds(text) for text in time.epochs}
    return time, replace(conditions, seconds=seconds), part
