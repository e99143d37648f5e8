"""The commands `relativenas ask` and `relativenas tell`: the sampler for programs in any language.

Each prints exactly one line of JSON to standard output.
"""

from __future__ import annotations

import json
import math
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from optuna.trial import TrialState

from relativenas_optuna._utils.limits import MAX_SEED
from relativenas_optuna.cli.commands.ask_tell.samplers import NAMES, asked_sampler
from relativenas_optuna.cli.commands.ask_tell.search_space import read_space
from relativenas_optuna.cli.commands.ask_tell.trials import Asker, Result, tell_trial
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import (
    DescribedArgument,
    storage_option,
    study_option,
)
from relativenas_optuna.samplers.relative_nas.settings import PRESETS
from relativenas_optuna.search.study_access import study_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optuna import Study

_MAX_NUMBER = 2**31 - 1  # what databases take
_STATES = {state.name.lower(): state for state in (TrialState.COMPLETE, TrialState.PRUNED)}
_STATES["fail"] = TrialState.FAIL


def _pairs(
    _context: click.Context, option: click.Parameter, words: Sequence[str]
) -> dict[str, float]:
    """Return the numbers of `KEY=VALUE` words by key, each key once."""
    found: dict[str, float] = {}
    for word in words:
        key, _, number = word.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = None
        if not key or value is None:
            raise click.BadParameter(f"{word!r} is not of the form {option.metavar}")
        if key in found:
            raise click.BadParameter(f"{key!r} is there twice")
        found[key] = value
    return found


def _steps(
    context: click.Context, option: click.Parameter, words: Sequence[str]
) -> dict[int, float]:
    """Return the numbers of `STEP=VALUE` words by step, a whole number from 0."""
    found = _pairs(context, option, words)
    for key in found:
        if not (key.isdecimal() and int(key) <= _MAX_NUMBER):
            raise click.BadParameter(f"a step must be a whole number from 0; got {key!r}")
    return {int(key): value for key, value in found.items()}


@click.command(
    epilog=examples(
        "optuna create-study --storage sqlite:///my.db --study-name my --direction minimize",
        "relativenas ask --storage sqlite:///my.db --study my --search-space space.json --seed 0",
        "relativenas tell 0 --storage sqlite:///my.db --study my --value 0.25",
        "relativenas ask --storage sqlite:///my.db --study my",
    ),
)
@storage_option
@study_option
@click.option(
    "--search-space",
    "space",
    metavar="FILE|JSON",
    help="Search space, as `optuna ask --search-space` takes it: a file, - for standard input, or "
    'JSON such as {"x": {"name": "FloatDistribution", "attributes": {"low": 0.0, "high": 1.0}}}. '
    "The first call of a study needs it.",
)
@click.option(
    "--sampler",
    type=click.Choice(NAMES),
    help="relativenas: slow-fast learning; migo: a natural gradient on categorical distributions.  "
    "[default: the study's; relativenas for a new study]",
)
@click.option(
    "--population",
    "population_size",
    type=int,
    metavar="N",
    help="Number of members of a generation, with sampler relativenas even.  [default: the "
    "study's; for a new study 8 with preset plain and one objective, with sampler migo the largest "
    "number of choices of a parameter, otherwise 20]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    metavar="N",
    help="Seed of all random numbers.  [default: the study's; random for a new study]",
)
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    help="Preset of sampler relativenas.  plain: fast learners keep their scores; paper: every "
    "member is scored again in each generation; random: every member is drawn at random.  "
    "[default: the study's; plain for a new study]",
)
@click.option(
    "--generation",
    is_flag=True,
    help="Ask for a trial for each free seat of the next generation: prints a list, empty if no "
    "seat is free.",
)
@click.option(
    "--enqueue",
    is_flag=True,
    help="Enqueue a trial for each free seat of the next generation, for `optuna ask` and "
    "`study.optimize`: prints a list.",
)
def ask(
    storage: str,
    study: str,
    *,
    space: str | None,
    sampler: str | None,
    generation: bool,
    enqueue: bool,
    **options: Any,
) -> None:
    """Ask a sampler for a trial of an existing study: RelativeNASSampler or MIGOSampler.

    Prints {"study": ..., "number": 7, "generation": 0, "seat": 7, "params": {"x": 0.5}}. A choice
    that is None is printed as null. Numbers that JSON lacks are printed as "Infinity", "-Infinity"
    or "NaN".

    Evaluate the parameters, and report the result with `relativenas tell` or `optuna tell`, from
    any process at any time. Until then the trial stays running. If the result is lost, report the
    trial with --state fail.

    Without --generation, a waiting trial is returned first. If no seat is free, sampler relativenas
    with preset plain makes an extra trial: a new architecture outside the generations, with null as
    generation and seat. Otherwise the seat that has been running longest is given out again.
    """
    with _study_of(storage, study) as opened:
        given = None if space is None else read_space(space)
        asker = Asker(opened, asked_sampler(opened, sampler, space=given, **options))
        if enqueue:
            _print(asker.enqueued())
        else:
            _print(asker.generation() if generation else asker.one())


@click.command(
    epilog=examples(
        "relativenas tell 7 --value -0.5",
        "relativenas tell 7 --value 0.25 --value 3e6 --constraint size=-1.5",
        "relativenas tell 7 --state pruned --report 1=0.9 --report 2=0.8",
        "relativenas tell 7 --state fail",
    ),
)
@click.argument(
    "number",
    cls=DescribedArgument,
    type=click.IntRange(0, _MAX_NUMBER),
    description="Number of the trial, as `relativenas ask` printed it.",
)
@storage_option
@study_option
@click.option(
    "--value",
    "values",
    type=float,
    multiple=True,
    metavar="V",
    help="Value of the objective; repeat the option for several objectives, in their order.",
)
@click.option(
    "--state",
    type=click.Choice(list(_STATES)),
    help="Final state of the trial.  [default: complete, or fail if a value is nan]",
)
@click.option(
    "--constraint",
    "constraints",
    callback=_pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a constraint, which is met if it is at most 0; may be repeated.",
)
@click.option(
    "--report",
    "reports",
    callback=_steps,
    multiple=True,
    metavar="STEP=VALUE",
    help="Intermediate value of a step; may be repeated. Pruned trials are ranked by these values.",
)
@click.option(
    "--skip-if-finished",
    is_flag=True,
    help="Accept a trial that has already ended, and change nothing.",
)
def tell(
    number: int,
    storage: str,
    study: str,
    skip_if_finished: bool,
    **result: Any,
) -> None:
    """Report the result of trial NUMBER of a study.

    Prints {"study": ..., "number": 7, "state": "COMPLETE", "values": [0.25]}; "values" is null if
    the trial has none.

    State fail means that the objective failed. The trial's seat is then given out again. After
    three failures it counts as the slowest.
    """
    state = result.pop("state")
    with _study_of(storage, study) as opened:
        told = tell_trial(
            opened,
            number,
            Result(state=state and _STATES[state], **result),
            skip_if_finished=skip_if_finished,
        )
        _print(told)
    if state is None and any(map(math.isnan, result["values"])):
        click.echo(f"Warning: trial {number} is {told['state']}, because a value is NaN", err=True)


@contextmanager
def _study_of(storage: str, name: str) -> Iterator[Study]:
    """Open a study, and print each warning as one line on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # Without heartbeats, because the trials do not run in this process.
            with study_at(storage, name, create=False, heartbeat_interval=None) as study:
                yield study
        finally:
            for warning in caught:
                text = " ".join(str(warning.message).split())
                click.echo(f"Warning: {text}", err=True)


def _print(data: Any) -> None:
    click.echo(json.dumps(_plain(data), allow_nan=False))


def _plain(data: Any) -> Any:
    """Return data with the numbers that JSON lacks as text."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return "NaN" if math.isnan(data) else "Infinity" if data > 0 else "-Infinity"
    return data
