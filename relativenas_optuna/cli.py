"""The command `relativenas`: parse, call, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import optuna

from relativenas_optuna.console import Console
from relativenas_optuna.plan import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    SearchPlan,
    Wishes,
    check_study,
    open_study,
)
from relativenas_optuna.samplers.settings import MAX_SEED
from relativenas_optuna.search_settings import PRESETS
from relativenas_optuna.storage import open_storage

if TYPE_CHECKING:
    from relativenas_optuna.search import Search

INTERRUPTED = 130  # what a shell reports of a command that Ctrl-C ended

_STORAGE = click.option(
    "--storage",
    metavar="URL",
    default=DEFAULT_STORAGE,
    show_default=True,
    help="SQL database of the study, as an SQLAlchemy URL.",
)
_STUDY = click.option(
    "--study", metavar="NAME", default=DEFAULT_STUDY, show_default=True, help="Name of the study."
)
_DEVICE = click.option(
    "--device", metavar="NAME", help="cpu, cuda, cuda:1, mps.  [default: the best there is]"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="relativenas-optuna", prog_name="relativenas")
def cli() -> None:
    """Neural architecture search by slow-fast learning, in an Optuna study.

    \b
    relativenas search                            search the digits, about two minutes on a CPU
    relativenas search --data FOLDER --study my   search your own pictures, a folder per class
    relativenas show --study my                   print and draw the best architectures
    """


@cli.command()
@click.option(
    "--data",
    metavar="DATA",
    help="digits, cifar10, cifar100, or a folder with one of pictures per class.  "
    "[default: digits]",
)
@click.option("--size", type=click.IntRange(1), help="Side in pixels to bring the pictures to.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Settings of the search.  [default: digits for the digits, else small]",
)
@click.option("--population", type=int, help="Members per generation, even.  [default: preset's]")
@click.option(
    "--generations",
    type=int,
    help="Generations in all; a larger number goes on with a finished study.  [default: preset's]",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Of all randomness.  [default: 0]")
@_DEVICE
@_STORAGE
@_STUDY
@click.option(
    "--out", metavar="FOLDER", help="For weights and results.  [default: relativenas-out/STUDY]"
)
def search(storage: str, study: str, device: str | None, **options: Any) -> None:
    """Search an architecture for a picture data set.

    The same command goes on where it was ended, by Ctrl-C or a crash. A study made by `optuna
    create-study` is taken too.

    \b
    relativenas search
    relativenas search --data cifar10 --preset paper --study c10 --device cuda
    relativenas search --data my-pictures --study mine --population 12 --generations 10
    relativenas search --study mine --generations 20
    """
    names = ("data", "size", "preset", "seed", "out")
    wishes = Wishes(
        **{name: options[name] for name in names},
        settings={n: v for n, v in options.items() if n not in names and v is not None},
    )
    search_study(storage, study, wishes, device)


def search_study(storage: str, name: str, wishes: Wishes, device: str | None) -> Search | None:
    """Search or go on with a study and report; `None` where it was finished before."""
    from relativenas_optuna.choice import Choice
    from relativenas_optuna.search import Search

    console = Console(storage=storage, study=name)
    opened = open_study(open_storage(storage), name, create=True)
    plan = SearchPlan.of(opened, wishes)
    check_study(opened, plan.settings)
    choice = Choice.stored_in(opened)
    if choice is not None and choice.generations >= plan.settings.generations:
        console.already_finished(choice, plan)
        return None
    console.preparing(plan)
    search = Search(opened, plan, device=device)
    try:
        console.follow(search)
        console.ended(search, console.choose(search))
    except KeyboardInterrupt:
        console.interrupted(search)
        sys.exit(INTERRUPTED)
    return search


@cli.command()
@_STORAGE
@_STUDY
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option("--out", metavar="FOLDER", help="For the pictures.  [default: the study's folder]")
def show(storage: str, study: str, top: int, out: str | None) -> None:
    """Print and draw the best architectures of a study.

    Of a finished search these are its finalists, scored with the final weights; otherwise the
    trials with the lowest loss.

    \b
    relativenas show
    relativenas show --study mine --top 3 --out pictures
    """
    opened = open_study(open_storage(storage), study, create=False)
    Console(storage=storage, study=study).best(opened, top, None if out is None else Path(out))


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_DEVICE
@_STORAGE
def run(file: Path, device: str | None, storage: str) -> None:
    """Run a study described by a TOML FILE, and check the figures that it must reach.

    \b
    relativenas run studies/digits.toml
    """
    from relativenas_optuna.choice import Choice
    from relativenas_optuna.study_file import StudyFile

    described = StudyFile.read(file)
    search_study(storage, described.study, described.wishes, device)
    choice = Choice.stored_in(open_study(open_storage(storage), described.study, create=False))
    assert choice is not None, "a search that ended has a choice"
    if not Console(storage=storage, study=described.study).reached(described, choice):
        sys.exit(1)


def main(arguments: list[str] | None = None) -> None:
    """The console script: every mistake is one line on standard error and exit status 1 or 2."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _reported(lambda: cli.main(arguments, prog_name="relativenas", standalone_mode=False))


def _reported(command: Callable[[], Any]) -> None:
    try:
        command()
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code, error)
    except (click.Abort, KeyboardInterrupt) as error:
        _end("interrupted; the same command goes on", INTERRUPTED, error)
    except (ValueError, OSError, optuna.exceptions.OptunaError) as error:
        _end(str(error) or type(error).__name__, 1, error)


def _end(message: str, status: int, error: BaseException) -> None:
    if os.environ.get("RELATIVENAS_TRACEBACK"):
        raise error
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    sys.exit(status)
