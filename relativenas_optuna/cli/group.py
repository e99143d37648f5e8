"""A group of commands that all have -q and -v, and that its help lists by purpose."""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from relativenas_optuna.cli.completion import complete
from relativenas_optuna.cli.terminal import VERBOSITY, verbosity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PACKAGE = "relativenas_optuna.cli.commands"


class Listed(NamedTuple):
    """An entry of the list of commands. The command is imported only for its run or its own help.

    Attributes:
        name: Name of the command, and of the function that defines it.
        module: Name of the function's module in `cli.commands`.
        summary: Line about the command in the list of commands.
    """

    name: str
    module: str
    summary: str

    def load(self) -> click.Command:
        """Import the command, and add -q, -v and Tab completion."""
        command: click.Command = getattr(import_module(f"{_PACKAGE}.{self.module}"), self.name)
        if not any(option.name == "quiet" for option in command.params):
            for parameter in command.params:
                complete(parameter)
            command.params += _verbosity_options()
            command.callback = _with_log_level(command.callback)
        return command


class CommandGroup(click.Group):
    """A group of commands that all have -q and -v and are listed in sections.

    Args:
        sections: Commands by heading of the section; each is a name, module and summary, see
            `Listed`.
        attributes: Keyword arguments of `click.Group`.
    """

    def __init__(
        self, *, sections: Mapping[str, Iterable[tuple[str, str, str]]], **attributes: Any
    ) -> None:
        super().__init__(**attributes)
        self._sections = {
            heading: [Listed(*command) for command in commands]
            for heading, commands in sections.items()
        }
        self._listed = {one.name: one for commands in self._sections.values() for one in commands}
        self.params += _verbosity_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the sections."""
        return list(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command named `cmd_name`; None if there is none."""
        return self._listed[cmd_name].load() if cmd_name in self._listed else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that start with `incomplete`, importing no command."""
        named = [one for one in self._listed.values() if one.name.startswith(incomplete)]
        items = [CompletionItem(one.name, help=one.summary) for one in named]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of the help, with one line per command."""
        width = max(map(len, self._listed))
        for heading, commands in self._sections.items():
            with formatter.section(heading):
                # The same width in all sections aligns their texts.
                formatter.write_dl([(one.name.ljust(width), one.summary) for one in commands])


def _with_log_level(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Return a command's function that first sets the log level of Optuna, according to -q and -v.

    It is set here rather than with the options, because importing Optuna takes longer than all
    else that --help and Tab completion need.
    """
    assert callback is not None

    @wraps(callback)
    def run(*args: Any, **kwargs: Any) -> Any:
        import optuna

        # Optuna's messages about single trials would mix with the output of the search.
        level = optuna.logging.WARNING if verbosity() > 0 else optuna.logging.ERROR
        optuna.logging.set_verbosity(level)
        return callback(*args, **kwargs)

    return run


_QUIET = "Print only results and errors: no progress and no hints."
_VERBOSE = "Print more: each trial, warnings of Optuna, and tracebacks of errors."


def _verbosity_options() -> list[click.Option]:
    """Return the options -q and -v."""
    return [_option("-q", "--quiet", -1, _QUIET), _option("-v", "--verbose", 1, _VERBOSE)]


def _option(short: str, long: str, level: int, text: str) -> click.Option:
    def say(context: click.Context, _option: click.Parameter, given: bool) -> None:
        if given:
            context.ensure_object(dict)[VERBOSITY] = level

    return click.Option([short, long], is_flag=True, expose_value=False, callback=say, help=text)
