"""What `relativenas` does: its commands."""

from __future__ import annotations

from importlib import import_module

import click
import optuna

from relativenas_optuna.ask_tell import ask, tell
from relativenas_optuna.command_group import CommandGroup
from relativenas_optuna.compare_command import compare
from relativenas_optuna.dashboard_command import dashboard
from relativenas_optuna.evaluate_command import evaluate
from relativenas_optuna.export_command import export
from relativenas_optuna.fidelity_command import fidelity
from relativenas_optuna.options import examples, listed, paragraphs
from relativenas_optuna.report_command import report
from relativenas_optuna.run_command import run
from relativenas_optuna.search_command import search
from relativenas_optuna.show_command import show
from relativenas_optuna.status_command import status
from relativenas_optuna.studies_command import studies
from relativenas_optuna.terminal import verbosity
from relativenas_optuna.train_command import train
from relativenas_optuna.work import worker


@click.group(
    cls=CommandGroup,
    sections={
        "Search": (search, run, worker),
        "Look on": (status, studies, show, dashboard, report),
        "After the search": (train, evaluate, export, compare, fidelity),
        "The sampler alone, for any program": (ask, tell),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog=paragraphs(
        examples(
            "relativenas search                            the digits, two minutes on a CPU",
            "relativenas search --data FOLDER --study my   your pictures, a folder per class",
            "relativenas status --study my --watch         how far it is",
            "relativenas show --study my                   what was found",
            "relativenas train --study my                  the best of it, from first weights",
            "relativenas COMMAND --help                    more, with examples",
        ),
        listed(
            "Exit status",
            "0  done",
            "1  a mistake, a failure, or a figure that was missed; one line says which",
            "2  a command line that cannot be read",
            "130, 143  ended by Ctrl-C or SIGTERM; a line says how to go on",
        ),
        listed(
            "Environment",
            "RELATIVENAS_STORAGE     the database, where --storage is not given",
            "RELATIVENAS_TRACEBACK   whatever it is, errors end with Python's traceback",
            "NO_COLOR, FORCE_COLOR   no colours, or colours in files and pipes too",
            "OMP_NUM_THREADS         threads of PyTorch; 1 on a machine that does other work",
        ),
        listed(
            "Completion by the Tab key, for a line in the shell's start file",
            'bash  eval "$(_RELATIVENAS_COMPLETE=bash_source relativenas)"',
            'zsh   eval "$(_RELATIVENAS_COMPLETE=zsh_source relativenas)"',
            "fish  _RELATIVENAS_COMPLETE=fish_source relativenas | source",
        ),
    ),
)
@click.version_option(import_module("relativenas_optuna").__version__, prog_name="relativenas")
@click.pass_context
def cli(context: click.Context) -> None:
    """Neural architecture search by slow-fast learning, in an Optuna study."""
    if verbosity() == 0:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
