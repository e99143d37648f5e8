"""The command `relativenas status`: the progress of a study on one screen."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click
from rich.live import Live

from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import json_option, storage_option, study_option
from relativenas_optuna.cli.output.status import StatusReport
from relativenas_optuna.cli.terminal import console, on_screen
from relativenas_optuna.search.status import status_of
from relativenas_optuna.search.study_access import study_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna
    import rich.console

    from relativenas_optuna.search.status_record import Status


@click.command(
    epilog=examples(
        "relativenas status --study my",
        "relativenas status --study my --watch            until the search ends, or Ctrl-C",
        "relativenas status --study my --json | jq .best",
        "relativenas status --study my --watch --json     one line for each change",
    ),
)
@storage_option
@study_option
@click.option("--watch", is_flag=True, help="Update the status until the search is finished.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    default=2.0,
    show_default=True,
    help="Seconds between two updates of --watch.",
)
@json_option
def status(storage: str, study: str, watch: bool, every: float, as_json: bool) -> None:
    """Show the progress of a study: generation, trials, workers, best, time left.

    The command only reads the study, so it may run beside the search. A dead worker on this machine
    is noticed at once, any other after two minutes without a heartbeat. The time left is estimated
    from the last trials.
    """
    with study_at(storage, study, read_only=True) as found:
        output = console()
        try:
            if as_json:
                for one in _looks(found, every if watch else None):
                    click.echo(json.dumps(one.to_dict(), allow_nan=False))
            elif watch:
                _watch(output, found, storage, every)
            else:
                report = StatusReport(status_of(found), storage=storage)
                if on_screen(output):
                    output.print(report.screen)
                else:
                    output.print(report.text, soft_wrap=True)
        except KeyboardInterrupt:
            raise Interrupted("the study is unchanged") from None


def _watch(output: rich.console.Console, study: optuna.Study, storage: str, every: float) -> None:
    if not on_screen(output):
        for one in _looks(study, every):
            output.print(StatusReport(one, storage=storage).line, soft_wrap=True)
        return
    with Live(console=output, auto_refresh=False, vertical_overflow="crop") as live:
        for one in _looks(study, every, changed_only=False):
            live.update(StatusReport(one, storage=storage).screen, refresh=True)


def _looks(
    study: optuna.Study, every: float | None, *, changed_only: bool = True
) -> Iterator[Status]:
    """Yield the status once, or every `every` seconds until the search is finished."""
    last = None
    while True:
        now = status_of(study)
        if not changed_only or last is None or now.counts != last.counts:
            yield now
            last = now
        if every is None or now.finished:
            return
        time.sleep(every)
