"""The command `relativenas fidelity`: how well scores with shared weights rank architectures."""

from __future__ import annotations

import json
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.json_data import plain
from relativenas_optuna._utils.limits import MAX_SEED
from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna._utils.text import number_of
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import (
    device_option,
    storage_option,
    study_option,
    threads_option,
)
from relativenas_optuna.cli.options.paths import PATHS, paths_here, plan_here
from relativenas_optuna.cli.progress import counting
from relativenas_optuna.cli.terminal import console
from relativenas_optuna.evaluation.fidelity.rank_correlation import TOP
from relativenas_optuna.evaluation.fidelity.record import MOST, Architecture, Fidelity
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.study_access import check_study, study_at

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    import rich.console

    from relativenas_optuna.evaluation.fidelity.rank_correlation import Agreement


@click.command(
    epilog=examples(
        "relativenas fidelity --study my --epochs 20",
        "relativenas fidelity --study my --epochs 20 --sample 60     add more architectures",
    ),
)
@storage_option
@study_option
@click.option(
    "--sample",
    type=click.IntRange(2, MOST),
    metavar="N",
    default=30,
    show_default=True,
    help="Number of architectures: half from the trials, half drawn at random.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="Epochs of each stand-alone training, from initial weights.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the sample, the stand-alone trainings and the confidence intervals.",
)
@click.option("--anew", is_flag=True, help="Discard earlier measurements.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@threads_option
@device_option
@paths_here
def fidelity(
    storage: str,
    study: str,
    device: str | None,
    *,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare scores with the shared weights of a search to scores after stand-alone training.

    Each architecture of a sample is scored with the shared weights, and is also trained stand-alone
    with the settings of the search. Kendall's tau measures how well both rankings agree: 1 for the
    same order, 0 for no relation, -1 for the opposite order.

    The study stores the scores. Give the same command again to continue after an interruption.
    """
    with study_at(storage, study, create=False) as found:
        plan = SearchPlan.stored_in(found)
        if plan is None:
            raise SearchError(
                f"study {study!r} was not searched by `relativenas search`: name another --study, "
                f"or call relativenas_optuna.evaluation.fidelity.measure.measure(study, objective)"
            )
        check_study(found, plan.search_space)
        plan = plan_here(plan, study=study, **{name: options.pop(name) for name in PATHS})
        notices = console(stderr=as_json, notices=True)
        measured = _measure(
            found, plan, device, notices, threads=threads, quiet=as_json, options=options
        )
        if as_json:
            click.echo(json.dumps(_data(measured, found), allow_nan=False))
        else:
            output = console()
            for line in _lines(measured, found):
                output.print(line, soft_wrap=True)


def _measure(
    study: optuna.Study,
    plan: SearchPlan,
    device: str | None,
    notices: rich.console.Console,
    *,
    threads: int | None,
    quiet: bool,
    options: dict[str, Any],
) -> Fidelity:
    # These imports load PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.fidelity.measure import measure
    from relativenas_optuna.search.search import Search
    from relativenas_optuna.search.threads import set_search_threads
    from relativenas_optuna.training.device import resolve_device

    search = Search(study, plan, device=str(resolve_device(device)), leads=False)
    line = set_search_threads(study, search.objective, threads)
    if line is not None and not quiet:
        notices.print(line, soft_wrap=True)
    sample = options["sample"]
    bar = counting(
        notices, f"stand-alone training, {number_of(options['epochs'], 'epoch')}", sample
    )
    begun = None if options["anew"] else Fidelity.stored_in(study)
    before = [] if begun is None else [a for a in begun.sample[:sample] if a.standalone is not None]
    if before and not quiet:
        notices.print(f"going on after {len(before)} of {sample} architectures")
    silence: AbstractContextManager[Callable[[], None]] = nullcontext(lambda: None)
    done = 0
    try:
        with silence if quiet else bar as advance:

            def after(architecture: Architecture) -> None:
                nonlocal done
                done += 1
                advance()
                if not quiet:
                    notices.print(f"{done}. {_line(architecture)}", soft_wrap=True)

            return measure(study, search.objective, **options, on_scored=after)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{max(done, len(before))} of {sample} architectures are saved in study "
            f"{study.study_name!r}"
        ) from None


def _line(architecture: Architecture) -> str:
    """Return one line with both scores of an architecture."""
    trial = "random" if architecture.trial is None else f"trial {architecture.trial}"
    scores = [
        f"{name} {score.value:.4f} ({100 * score.accuracy:.1f} %)"
        for name, score in (
            ("shared", architecture.shared),
            ("stand-alone", architecture.standalone),
        )
        if score is not None
    ]
    return f"{trial}: {', '.join(scores)}"


def _agreements(fidelity: Fidelity, study: optuna.Study) -> dict[str, Agreement | None]:
    return {
        "shared": fidelity.by_value(study),
        "shared, by accuracy": fidelity.by_accuracy(),
        "shared, from trials": fidelity.of(study, drawn=False),
        "shared, at random": fidelity.of(study, drawn=True),
        "in the search": fidelity.of_search(study),
    }


def _lines(fidelity: Fidelity, study: optuna.Study) -> list[str]:
    """Return the figures as a table, and a sentence on their meaning."""
    found = _agreements(fidelity, study)
    lines = [
        "",
        f"against {number_of(fidelity.epochs, 'epoch')} of stand-alone training",
        f"{'score':<20} {'of':>4}  {'tau-b (95 % interval)':<24}  best {TOP} in best third",
    ]
    for name, one in found.items():
        if one is not None:
            best = f"{one.top_found} of {one.top} ({one.top_by_chance:.1f} by chance)"
            lines.append(f"{name:<20} {one.count:>4}  {one!s:<24}  {best}")
    by_value = found["shared"]
    assert by_value is not None
    return [*lines, "", by_value.meaning]


def _data(fidelity: Fidelity, study: optuna.Study) -> dict[str, Any]:
    def figures(one: Agreement | None) -> dict[str, Any] | None:
        if one is None:
            return None
        # JSON has no NaN.
        return {k: None if math.isnan(value) else value for k, value in asdict(one).items()}

    return {
        "study": study.study_name,
        "epochs": fidelity.epochs,
        "seed": fidelity.seed,
        "weights": fidelity.weights,
        "agreement": {name: figures(one) for name, one in _agreements(fidelity, study).items()},
        "sample": plain(fidelity.sample),
    }
