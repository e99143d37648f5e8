"""Consoles of the commands: colours, terminals, -q and -v."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import rich.console

VERBOSITY = "verbosity"
"""Key of the verbosity in the object of Click's context."""


def verbosity() -> int:
    """Return the verbosity of the running command: -1 after -q, 1 after -v, otherwise 0."""
    context = click.get_current_context(silent=True)
    said = None if context is None else context.obj
    return int(said.get(VERBOSITY, 0)) if isinstance(said, dict) else 0


def console(*, stderr: bool = False, notices: bool = False) -> rich.console.Console:
    """Return a console that prints texts unchanged and respects NO_COLOR and FORCE_COLOR.

    Args:
        stderr: True to print to standard error instead of standard output.
        notices: True for notices, which -q hides; False for results.
    """
    import rich.console  # here, since every command's start loads this module

    stream = sys.stderr if stderr else sys.stdout
    # Names and paths are text: brackets in them are no markup, colons no emoji.
    return rich.console.Console(
        highlight=False,
        markup=False,
        emoji=False,
        stderr=stderr,
        quiet=notices and verbosity() < 0,
        # FORCE_COLOR asks for colours in files and pipes, not for progress bars in them.
        force_interactive=None if stream.isatty() else False,
    )


def on_screen(console: rich.console.Console) -> bool:
    """Return True if the console is a terminal in which lines can be replaced."""
    return console.is_interactive


def print_line(console: rich.console.Console, text: str = "", *, whole: bool = False) -> None:
    """Print a line, which wraps if the console is a terminal.

    Args:
        console: Console to print on.
        text: The line.
        whole: True for a line that people copy, which never wraps.
    """
    console.print(text, soft_wrap=whole or not on_screen(console))


def notice(text: str) -> None:
    """Print a line that is not a result, unless -q is given."""
    if verbosity() >= 0:
        click.echo(text)
