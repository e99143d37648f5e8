"""The command `relativenas run`: the search that a study file describes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import (
    DescribedArgument,
    device_option,
    json_option,
    storage_option,
    threads_option,
)


@click.command(
    epilog=examples(
        "relativenas run studies/digits.toml",
        "relativenas run studies/digits.toml --json | jq .figures",
    ),
)
@click.argument(
    "file",
    cls=DescribedArgument,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    description="Study file in TOML, such as studies/digits.toml.",
)
@threads_option
@device_option
@storage_option
@json_option
def run(file: Path, threads: int | None, device: str | None, storage: str, as_json: bool) -> None:
    """Run the search that FILE describes, and check that it reaches the required figures.

    The exit status is 1 if a figure (the accuracy, for example) is below the required value.
    """
    # Imported here, because these modules load Optuna, and help and Tab completion need to be fast.
    from relativenas_optuna.cli.output.search import Console
    from relativenas_optuna.cli.run_search import searched
    from relativenas_optuna.search.study_file import StudyFile

    described = StudyFile.read(file)
    console = Console(storage=storage, study=described.study, stderr=as_json)
    choice = searched(console, described.request, device, threads=threads)
    figures = described.check(choice)
    console.figures(figures)
    if as_json:
        checked = [asdict(figure) | {"reached": figure.reached} for figure in figures]
        data = {"study": described.study} | choice.to_data() | {"figures": checked}
        click.echo(json.dumps(data, allow_nan=False))
    missed = [figure.name for figure in figures if not figure.reached]
    if missed:
        raise click.ClickException(f"study {described.study!r} missed {', '.join(missed)}")
