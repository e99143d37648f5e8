"""What several commands have in common: options, and how their help looks."""

from __future__ import annotations

import click

from relativenas_optuna.plan import DEFAULT_STORAGE, DEFAULT_STUDY


def _name(value: str) -> str:
    if not value.strip():
        raise click.BadParameter(f"a study needs a name; got {value!r}")
    return value


storage_option = click.option(
    "--storage",
    metavar="URL",
    default=DEFAULT_STORAGE,
    show_default=True,
    help="SQL database of the study, as an SQLAlchemy URL.",
)
study_option = click.option(
    "--study",
    metavar="NAME",
    default=DEFAULT_STUDY,
    show_default=True,
    callback=lambda _context, _option, value: _name(value),
    help="Name of the study.",
)


def examples(*lines: str) -> str:
    """The epilog of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
