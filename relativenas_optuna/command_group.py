"""What all commands have in common: -q and -v, and a help that groups them by purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import optuna

from relativenas_optuna.completion import complete
from relativenas_optuna.terminal import VERBOSITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CommandGroup(click.Group):
    """A group of commands that all take -q and -v, and are listed by what they are for.

    Args:
        sections: The commands by the heading that they are listed under.
        attributes: Of `click.Group`.
    """

    def __init__(
        self, *, sections: Mapping[str, Sequence[click.Command]], **attributes: Any
    ) -> None:
        super().__init__(**attributes)
        self._sections = sections
        for command in self._listed:
            for parameter in command.params:
                complete(parameter)
            self.add_command(command)
        for one in (self, *self._listed):
            one.params += [
                _option("-q", "--quiet", -1, _QUIET),
                _option("-v", "--verbose", 1, _VERBOSE),
            ]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the sections."""
        return [command.name or "" for command in self._listed]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, with a line for each command."""
        width = max(map(len, self.commands))
        for heading, commands in self._sections.items():
            lines = [
                # Of the same width in all sections, so that the texts stand below each other.
                ((command.name or "").ljust(width), command.get_short_help_str(limit=200))
                for command in commands
            ]
            with formatter.section(heading):
                formatter.write_dl(lines)

    @property
    def _listed(self) -> list[click.Command]:
        return [command for commands in self._sections.values() for command in commands]


_QUIET = "Print results and errors alone: neither progress nor what to do next."
_VERBOSE = "Say more: each trial, warnings of Optuna, and of an error where it came from."


def _option(short: str, long: str, level: int, text: str) -> click.Option:
    def say(context: click.Context, _option: click.Parameter, given: bool) -> None:
        if given:
            context.ensure_object(dict)[VERBOSITY] = level
            # Its lines on single trials would come between those of the search.
            log = optuna.logging.WARNING if level > 0 else optuna.logging.ERROR
            optuna.logging.set_verbosity(log)

    return click.Option([short, long], is_flag=True, expose_value=False, callback=say, help=text)
