"""What `relativenas` does: parse, call, print."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click
import optuna

from relativenas_optuna.architectures import scored_architectures
from relativenas_optuna.ask_tell import ask, tell
from relativenas_optuna.choice import Choice
from relativenas_optuna.compare_command import compare
from relativenas_optuna.console import Console
from relativenas_optuna.evaluate_command import evaluate
from relativenas_optuna.export_command import export
from relativenas_optuna.fidelity_command import fidelity
from relativenas_optuna.new_study import study_to_search
from relativenas_optuna.options import (
    device_option,
    examples,
    storage_option,
    study_option,
    weights_option,
)
from relativenas_optuna.out_folder import make_folder
from relativenas_optuna.plan import SearchPlan, Wishes, check_study, open_study
from relativenas_optuna.samplers.settings import MAX_SEED
from relativenas_optuna.search_settings import PRECISIONS, PRESETS
from relativenas_optuna.searching import search_to_the_end
from relativenas_optuna.status_command import status
from relativenas_optuna.storage import storage_at
from relativenas_optuna.studies_command import studies
from relativenas_optuna.study_file import StudyFile
from relativenas_optuna.train_command import train
from relativenas_optuna.work import worker


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog=examples(
        "relativenas search                            the digits, about two minutes on a CPU",
        "relativenas search --data FOLDER --study my   your own pictures, a folder per class",
        "relativenas show --study my                   what was found",
        "relativenas train --study my                  the best of it, from first weights",
        "relativenas evaluate FILE --data FOLDER       what a trained network is worth",
        "relativenas export FILE --format onnx         for other programs",
        "relativenas worker --study my                 one more process for it",
        "relativenas fidelity --study my               is a shared score worth anything?",
        "relativenas compare --study my                was the search worth it?",
        "relativenas ask, relativenas tell             the sampler alone, for any program",
    ),
)
@click.version_option(import_module("relativenas_optuna").__version__, prog_name="relativenas")
@click.pass_context
def cli(context: click.Context) -> None:
    """Neural architecture search by slow-fast learning, in an Optuna study."""
    # Its lines on single trials would come between those of the search.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli.add_command(ask)
cli.add_command(tell)
cli.add_command(worker)
cli.add_command(status)
cli.add_command(studies)
cli.add_command(fidelity)
cli.add_command(compare)
cli.add_command(train)
cli.add_command(evaluate)
cli.add_command(export)


@cli.command(
    epilog=examples(
        "relativenas search",
        "relativenas search --data my-pictures --study mine",
        "relativenas search --study mine --generations 20",
        "relativenas search --data cifar10 --preset paper --study c10 --device cuda",
    )
)
@click.option(
    "--data",
    metavar="DATA",
    help="digits, cifar10, cifar100, or a folder with a sub-folder of pictures for each class.  "
    "[default: digits]",
)
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Side that the pictures are brought to.  [default: as they are]",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Settings of the search.  [default: digits for the digits, else small]",
)
@click.option(
    "--population",
    type=int,
    metavar="N",
    help="Members of a generation, an even number.  [default: the preset's]",
)
@click.option(
    "--generations",
    type=int,
    metavar="N",
    help="Generations in all; a larger number goes on with a finished study.  "
    "[default: the preset's]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    metavar="N",
    help="Of all randomness, from 0 to 2**32 - 1.  [default: 0]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="bfloat16 is faster on GPUs that compute in it, and slower on most CPUs.  "
    "[default: float32]",
)
@click.option(
    "--random",
    is_flag=True,
    help="Draw every candidate at random and learn nothing: what a search is to be compared with.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Processes of this machine that search together; see also `relativenas worker`.",
)
@device_option
@storage_option
@study_option
@click.option(
    "--out", metavar="FOLDER", help="For weights and results.  [default: relativenas-out/STUDY]"
)
@weights_option
def search(
    storage: str, study: str, device: str | None, workers: int, random: bool, **options: Any
) -> None:
    """Search an architecture for a picture data set.

    The same command goes on where it was ended, by Ctrl-C or a crash. A study keeps its settings,
    so that its name is enough to go on with it. One made by `optuna create-study` is taken too.
    """
    names = ("data", "size", "preset", "seed", "out", "weights")
    wishes = Wishes(
        **{name: options[name] for name in names},
        random=random or None,
        settings={n: v for n, v in options.items() if n not in names and v is not None},
    )
    _search(Console(storage=storage, study=study), wishes, device, workers)


@cli.command()
@storage_option
@study_option
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="How many architectures.",
)
@click.option("--out", metavar="FOLDER", help="For the pictures.  [default: the study's folder]")
def show(storage: str, study: str, top: int, out: str | None) -> None:
    """Print and draw the best architectures of a study.

    Of a finished search these are its finalists, scored with the final weights; otherwise the
    trials with the lowest loss.
    """
    console = Console(storage=storage, study=study)
    with storage_at(storage, create=False) as opened:
        found = open_study(opened, study, create=False)
        plan, best = SearchPlan.stored_in(found), scored_architectures(found)
    folder = out or (plan.out if plan else ".")
    make_folder(folder)
    console.best(best, top, Path(folder))


@cli.command(short_help="Run a study that a TOML file describes.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@device_option
@storage_option
def run(file: Path, device: str | None, storage: str) -> None:
    """Run a study that a TOML FILE describes, and check the figures that it must reach.

    A figure that is missed makes the exit status 1.
    """
    described = StudyFile.read(file)
    console = Console(storage=storage, study=described.study)
    figures = described.check(_search(console, described.wishes, device))
    console.figures(figures)
    missed = [figure.name for figure in figures if not figure.reached]
    if missed:
        raise click.ClickException(f"study {described.study!r} missed {', '.join(missed)}")


def _search(console: Console, wishes: Wishes, device: str | None, workers: int = 1) -> Choice:
    """Search or go on with a study and report."""
    with (
        storage_at(console.storage) as storage,
        study_to_search(storage, console.study) as study,
    ):
        plan = SearchPlan.of(study, wishes)
        check_study(study, plan.settings)
        choice = Choice.stored_in(study)
        if choice is not None and choice.generations >= plan.settings.generations:
            console.already_finished(choice, plan)
            return choice
        console.preparing(plan)
        return search_to_the_end(console, study, plan, device=device, workers=workers)
