"""The command `relativenas show`: the best architectures of a study."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import json_option, storage_option, study_option
from relativenas_optuna.cli.terminal import notice
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.run_folder import make_folder


@click.command(
    epilog=examples(
        "relativenas show --study my",
        "relativenas show --study my --top 3 --out drawings",
        "relativenas show --study my --json | jq -r '.[0].genotype'",
    )
)
@storage_option
@study_option
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of architectures.",
)
@click.option(
    "--out", metavar="FOLDER", help="Folder for drawings and texts.  [default: the study's folder]"
)
@json_option
def show(storage: str, study: str, top: int, out: str | None, as_json: bool) -> None:
    """Print and draw the best architectures of a study.

    For a finished search these are the finalists, evaluated with the final weights. Otherwise they
    are the trials with the lowest loss. With --json, files are written only if --out is given.
    """
    # Imported here, because these modules load Optuna, and help and Tab completion need to be fast.
    from relativenas_optuna.cli.output.search import Console
    from relativenas_optuna.search.architectures import scored_architectures
    from relativenas_optuna.search.choice import readable_plan
    from relativenas_optuna.search.study_access import study_at
    from relativenas_optuna.spaces.space_genotype import space_of

    console = Console(storage=storage, study=study, stderr=as_json)
    with study_at(storage, study, read_only=True) as found:
        plan, best = readable_plan(found), scored_architectures(found, for_show=True)
    if as_json:
        data = [
            {"rank": rank, "space": space_of(genotype), "genotype": genotype.to_text()}
            | asdict(ranked)
            for rank, (genotype, ranked) in enumerate(list(best.items())[:top], start=1)
        ]
        click.echo(json.dumps(data))
    if out is None and as_json:
        return
    folder: str | None = out or (plan.out if plan else ".")
    try:
        make_folder(str(folder))
    except SearchError as error:
        if out is not None:
            raise
        folder = None
        notice(f"no file is written: {error}")
    console.best(best, top, None if folder is None else Path(folder))
