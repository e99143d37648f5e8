"""The command `relativenas` itself, and the list of its commands."""

from __future__ import annotations

from importlib import import_module

import click

from relativenas_optuna.cli.group import CommandGroup
from relativenas_optuna.cli.help_texts import examples, listed, paragraphs

SECTIONS = {
    "Search": (
        ("search", "search", "Search for an architecture on an image data set."),
        ("run", "run", "Run a study that a TOML file describes."),
        ("worker", "worker", "Join the search of a study as one more process."),
    ),
    "Monitor": (
        ("status", "status", "Show the progress of a study."),
        ("studies", "studies", "List the studies in a database."),
        ("show", "show", "Print and draw the best architectures of a study."),
        ("dashboard", "dashboard", "Show the studies of a database in the browser, live."),
        ("report", "report", "Write a study as one HTML page."),
    ),
    "After the search": (
        ("train", "train", "Train an architecture from its initial weights."),
        ("evaluate", "evaluate", "Measure a trained network."),
        ("export", "export", "Export a trained network, for example to ONNX."),
        ("compare", "compare", "Compare the result of a search with baselines."),
        ("latency", "latency", "Measure the operations of a search space on this device."),
        ("fidelity", "fidelity", "Measure how well scores with shared weights rank architectures."),
    ),
    "Sampler for programs in any language": (
        ("ask", "ask_tell", "Ask the sampler for a trial, as JSON."),
        ("tell", "ask_tell", "Report the result of a trial."),
    ),
}


@click.group(
    cls=CommandGroup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog=paragraphs(
        examples(
            "relativenas search                            search on digits, 4 minutes on a CPU",
            "relativenas search --data FOLDER --study my   search on images, one folder per class",
            "relativenas status --study my --watch         show its progress",
            "relativenas show --study my                   show the best architecture",
            "relativenas train --study my                  train it from initial weights",
            "relativenas COMMAND --help                    show the options of a command",
        ),
        listed(
            "Exit status",
            "0  success",
            "1  an error, or a figure that `run` missed; one line says which",
            "2  an invalid command line",
            "130, 143  ended by Ctrl-C or SIGTERM; a line says how to continue",
        ),
        listed(
            "Environment",
            "RELATIVENAS_STORAGE     URL of the database, if --storage is not given",
            "RELATIVENAS_TRACEBACK   if set, errors end with Python's traceback",
            "NO_COLOR, FORCE_COLOR   if set: no colours, or colours in files and pipes too",
            "OMP_NUM_THREADS         number of CPU threads, if --threads is not given",
            "RELATIVENAS_IMAGES_GB   gigabytes of images to keep in memory; more go into a file",
            "RELATIVENAS_CACHE       folder of these files, if not ~/.cache/relativenas",
        ),
        listed(
            "Tab completion, a line for your shell's startup file",
            'bash  eval "$(_RELATIVENAS_COMPLETE=bash_source relativenas)"',
            'zsh   eval "$(_RELATIVENAS_COMPLETE=zsh_source relativenas)"',
            "fish  _RELATIVENAS_COMPLETE=fish_source relativenas | source",
        ),
    ),
)
@click.version_option(import_module("relativenas_optuna").__version__, prog_name="relativenas")
@click.pass_context
def cli(context: click.Context) -> None:
    """Search for neural architectures by slow-fast learning, in an Optuna study."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
