"""Tab completion of studies, data sets, search spaces, folders and files."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from relativenas_optuna.search.defaults import DEFAULT_STORAGE
from relativenas_optuna.spaces.names import BUILT_IN_NAMES
from relativenas_optuna.training.data.data_names import DATA_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

Items = list[CompletionItem]


def studies(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Return the studies in the storage of the command line whose names start with `incomplete`."""
    import optuna  # here, since every command's start loads this module

    from relativenas_optuna.exceptions import StorageError
    from relativenas_optuna.storages.opening import storage_at

    url = context.params.get("storage") or DEFAULT_STORAGE
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with storage_at(url, read_only=True) as storage:
            names = optuna.get_all_study_names(storage)
    except (StorageError, optuna.exceptions.OptunaError):
        return []
    # The shell would read an unprintable name, such as one with a line break, as several words.
    named = [name for name in names if name.startswith(incomplete) and name.isprintable()]
    return [CompletionItem(_typed(name)) for name in named]


def _typed(name: str) -> str:
    """Return a name for the command line, quoted for bash; zsh and fish quote it themselves."""
    bash = os.environ.get("_RELATIVENAS_COMPLETE", "").startswith("bash")
    return shlex.quote(name) if bash else name


def data(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Return the data sets whose names start with `incomplete`, or folders if there are none."""
    names = [CompletionItem(name) for name in DATA_NAMES if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="dir")]


def spaces(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Return the built-in search spaces whose names start with `incomplete`."""
    return [CompletionItem(name) for name in BUILT_IN_NAMES if name.startswith(incomplete)]


def _folders(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    return [CompletionItem(incomplete, type="dir")]


def _files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    return [CompletionItem(incomplete, type="file")]


_BY_METAVAR = {
    "DATA": data,
    "SPACE": spaces,
    "FOLDER": _folders,
    "PLACE": _folders,
    "FILE": _files,
    "FILE|JSON": _files,
    "NAME|FILE": _files,
    "[ARCHITECTURE]": _files,
}


class _CompletedText(click.types.StringParamType):
    """A text parameter with Tab completion."""

    def __init__(self, offers: Callable[[click.Context, click.Parameter, str], Items]) -> None:
        self._offers = offers

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        return self._offers(ctx, param, incomplete)


def complete(parameter: click.Parameter) -> None:
    """Enable Tab completion for a text parameter, according to its name or metavar."""
    of_study = parameter.name == "study" or parameter.metavar == "[STUDY]"
    offers = studies if of_study else _BY_METAVAR.get(parameter.metavar or "")
    if offers is not None and parameter.type is click.STRING:
        parameter.type = _CompletedText(offers)
