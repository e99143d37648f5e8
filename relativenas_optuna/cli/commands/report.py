"""The command `relativenas report`: a study as one HTML page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relativenas_optuna._utils.files import file_name
from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import (
    DescribedArgument,
    json_option,
    named_study,
    storage_option,
    study_option,
)
from relativenas_optuna.cli.terminal import notice
from relativenas_optuna.search.choice import readable_plan
from relativenas_optuna.search.defaults import DEFAULT_STUDY
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.search.run_folder import make_folder
from relativenas_optuna.search.study_access import study_at

if TYPE_CHECKING:
    from relativenas_optuna.search.plan import SearchPlan

_NAME = "report.html"
_TOP = 3


@click.command(
    epilog=examples(
        "relativenas report my",
        "relativenas report my --top 5 --out my.html",
        "relativenas report my --storage postgresql://HOST/DB --out /srv/www",
    ),
)
@click.argument(
    "name",
    cls=DescribedArgument,
    metavar="[STUDY]",
    description="Name of the study, instead of --study.",
    required=False,
    callback=lambda _context, _argument, value: None if value is None else named_study(value),
)
@storage_option
@study_option
@click.option(
    "--top",
    type=click.IntRange(1, 50),
    metavar="N",
    default=_TOP,
    show_default=True,
    help="Number of best architectures on the page.",
)
@click.option(
    "--out",
    metavar="FILE",
    help=f"File or folder for the page.  [default: {_NAME} in the study's folder]",
)
@json_option
def report(
    name: str | None, storage: str, study: str, *, top: int, out: str | None, as_json: bool
) -> None:
    """Write STUDY as one HTML page: cells, figures, settings, environment, commands.

    The page has about 5 MB and needs no network and no other file, so it can be sent by e-mail. If
    the search is still running, the page shows its current state.
    """
    if name is not None and study not in (name, DEFAULT_STUDY):
        raise click.UsageError(f"STUDY and --study name two studies, {name!r} and {study!r}")
    study = study if name is None else name
    with study_at(storage, study, read_only=True) as found:
        plan = readable_plan(found)
        path = _path(out, study, plan)
        make_folder(str(path.parent))
        # This import loads Matplotlib and Plotly, which takes seconds, so errors come first.
        from relativenas_optuna.dashboard.html_report import write_report

        words = [] if top == _TOP else ["--top", str(top)]
        words += [] if out is None else ["--out", out]
        shown = without_password(storage)
        if study.startswith("-"):  # it would be read as an option
            made_by = command("report", *words, storage=shown, study=study)
        else:
            made_by = command("report", study, *words, storage=shown)
        write_report(found, path, storage=storage, made_by=made_by, top=top)
    if as_json:
        click.echo(json.dumps({"study": study, "report": str(path.absolute())}))
    else:
        size = path.stat().st_size / 1e6
        notice(f"written:    {shown_path(path.absolute())} ({size:.1f} MB)")


def _path(out: str | None, study: str, plan: SearchPlan | None) -> Path:
    """Return the path of the page."""
    if out is not None:
        return Path(out, _NAME) if Path(out).is_dir() else Path(out)
    if plan is not None and os.access(plan.out, os.W_OK | os.X_OK):
        return Path(plan.out, _NAME)
    return Path(f"{file_name(study)}-{_NAME}")
