"""The entry point of the command `relativenas`: it turns errors and signals into one-line messages.

The module imports little at its top, so that Ctrl-C is handled as early as possible.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import sys
import warnings
from typing import TYPE_CHECKING

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.patience import less_after
from relativenas_optuna._utils.signals import BESIDE_VARIABLE, Interrupted, signals_as_interrupts
from relativenas_optuna._utils.streams import (
    BROKEN_PIPE,
    discard_output,
    is_broken_pipe,
    open_closed_streams,
)
from relativenas_optuna.search.resume_command import program

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(arguments: list[str] | None = None) -> None:
    """Run the command `relativenas`.

    An error prints one line to standard error. With the environment variable
    `RELATIVENAS_TRACEBACK`, the exception itself is raised instead.

    Args:
        arguments: Command line without the program's name; None for that of the process.

    Raises:
        SystemExit: With status 1 after an error or a missed figure, 2 for an invalid command line,
            130 after Ctrl-C, 143 after SIGTERM, and 141 without a message if nothing reads the
            output any more.
    """
    words = sys.argv[1:] if arguments is None else arguments
    received: list[int] = []
    said: dict[str, int] = {}  # what `terminal.verbosity` reads
    lost = open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end a search.
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings_as_lines(), signals_as_interrupts() as received, less_after(received):
            from relativenas_optuna.cli.commands import cli

            cli.main(words, prog_name="relativenas", standalone_mode=False, obj=said)
            sys.stdout.flush()
        if lost is not None and lost.getvalue():
            _end("Error: standard output is closed, so what was printed is lost", 1)
    except BaseException as error:
        if is_broken_pipe(error):
            discard_output()
            sys.exit(BROKEN_PIPE)
        if isinstance(error, SystemExit):
            raise
        if os.environ.get("RELATIVENAS_TRACEBACK"):
            raise
        # An import can replace the KeyboardInterrupt by another exception, and so does Click.
        if received or KeyboardInterrupt in (type(error), type(error.__cause__)):
            status = 128 + (received or [signal.SIGINT])[0]
            if os.environ.get(BESIDE_VARIABLE):  # the command that started it prints the message
                sys.exit(status)
            _end(_interruption(error, words), status)
        message = _message(error)
        if message is None:
            raise
        where = _where(error) if any(level > 0 for level in said.values()) else ""
        _end(f"{where}Error: {message}", getattr(error, "exit_code", 1))


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning of the block as one line, without its place in the program."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: (
        f"Warning: {without_password(_line(message))}\n"
    )
    try:
        yield
    finally:
        warnings.formatwarning = before


def _interruption(error: BaseException, words: list[str]) -> str:
    saved = str(error) if isinstance(error, Interrupted) else "what was saved before is kept"
    again = shlex.join(without_password(word) for word in words)
    return f"\ninterrupted: {saved}\ngo on:       {program('relativenas')} {again}"


def _where(error: BaseException) -> str:
    """Return the traceback of an error, one line of text per line."""
    import traceback

    lines = "".join(traceback.format_exception(error)).splitlines()
    return "".join(f"{line}\n" for line in lines)


def _message(error: BaseException) -> str | None:
    """Return the message of an error that users can cause; None for a bug of the program."""
    import click
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    from relativenas_optuna.storages.opening import storage_reason

    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = "" if context is None else f" (see {context.command_path} --help)"
        return f"{_line(error.format_message())}{hint}"
    failures = SQLAlchemyError, optuna.exceptions.StorageInternalError
    if isinstance(error, AssertionError) and isinstance(error.__context__, failures):
        error = error.__context__  # Optuna asserts that reporting a trial cannot fail
    if isinstance(error, failures):
        return (
            f"the database of the study failed: {storage_reason(error)}; what it took before is "
            f"kept, and the same command goes on"
        )
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{os.fspath(error.filename)!r}: {error.strerror}"
    if (missing := _missing_memory(error)) is not None:
        return f"not enough memory: {missing}; smaller images (--size) or batches need less"
    known = (ValueError, OSError, optuna.exceptions.OptunaError)
    return _line(error) if isinstance(error, known) else None


def _missing_memory(error: BaseException) -> str | None:
    """Return what could not be allocated; `None` if the error is not about memory."""
    line = _line(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return line
    # PyTorch raises a plain RuntimeError if a CPU or MPS runs out of memory.
    words = "can't allocate memory", "not enough memory", "out of memory", "can't start new thread"
    if not isinstance(error, RuntimeError) or not any(word in line for word in words):
        return None
    size = re.search(r"tried to allocate (\d+) bytes", line)
    return line if size is None else f"could not allocate {int(size[1]) / 1e6:,.0f} MB"


def _line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _end(message: str, status: int) -> None:
    with contextlib.suppress(OSError):  # nothing reads standard error any more
        # Line by line, because hiding a password in one line must not hide parts of other lines.
        sys.stderr.write("".join(f"{without_password(line)}\n" for line in message.split("\n")))
        sys.stderr.flush()
    sys.exit(status)
