"""The command `relativenas dashboard`: the standard optuna-dashboard, with a search's drawings."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click
import optuna
from click.core import ParameterSource

from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna._utils.text import shown_path
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import storage_option, study_option
from relativenas_optuna.cli.terminal import notice, verbosity
from relativenas_optuna.dashboard.folder import artifact_folder
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.choice import readable_plan
from relativenas_optuna.search.study_access import open_study
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.urls import may_be_written

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.storages import BaseStorage


@click.command(
    epilog=examples(
        "relativenas dashboard --study my",
        "relativenas dashboard --study my --port 0              use any free port",
        "relativenas dashboard --storage postgresql://HOST/DB --artifacts /mnt/my/artifacts",
        "ssh -L 8080:localhost:8080 HOST relativenas dashboard     run it on another machine",
    ),
)
@storage_option
@study_option
@click.option(
    "--artifacts",
    metavar="FOLDER",
    help="Folder of the drawings.  [default: artifacts in the study's folder]",
)
@click.option(
    "--host",
    metavar="NAME",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets everybody in the network see and change the studies.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.pass_context
def dashboard(
    context: click.Context,
    storage: str,
    study: str,
    *,
    artifacts: str | None,
    host: str,
    port: int,
) -> None:
    """Show the studies of a database in a browser, with the drawings and figures of a search.

    This starts optuna-dashboard and prints its address; Ctrl-C ends it. It may run before, during
    and after a search, also several times at once.
    """
    named = context.get_parameter_source("study") != ParameterSource.DEFAULT
    read_only = not may_be_written(storage)
    with (
        storage_at(storage, create=False, read_only=read_only) as opened,
        _server(host, port) as server,
    ):
        study_id = _study_id(opened, study, required=named)
        folder = _folder(opened, study, artifacts)
        # This import takes seconds, so errors come first.
        from optuna_dashboard import wsgi

        from relativenas_optuna.dashboard.drawing_server import ServedDrawings

        store = None if folder is None else ServedDrawings(folder)
        server.set_app(wsgi(opened, artifact_store=store))
        page = "" if study_id is None else f"/studies/{study_id}"
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"http://{shown}:{server.server_port}/dashboard{page}")
        if read_only:
            notice("the database cannot be written here, so nothing can be changed")
        notice("Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            raise Interrupted(
                "the dashboard is closed; studies are kept, and searches continue"
            ) from None


class _Server(ThreadingMixIn, WSGIServer):
    """A web server that answers requests in parallel, and does not wait for them when it ends."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    """A request handler that prints nothing."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing about the request."""


def _server(host: str, port: int) -> WSGIServer:
    handler = WSGIRequestHandler if verbosity() > 0 else _QuietHandler
    try:
        return make_server(host, port, _not_ready, server_class=_Server, handler_class=handler)
    except socket.gaierror as error:
        raise SearchError(
            f"host must be a name or address of this machine ({error.strerror}); got {host!r}"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SearchError(
                f"port {port} of {host} is taken: end the program that uses it, or take another by "
                f"--port (0 takes a free one)"
            ) from error
        raise SearchError(
            f"nothing can listen on port {port} of {host} ({error.strerror}): take another --port "
            f"or --host"
        ) from error


def _not_ready(_environment: object, _start: object) -> list[bytes]:
    raise AssertionError("the server has its application before it serves")


def _study_id(storage: BaseStorage, name: str, *, required: bool) -> int | None:
    """Return the id of a study; None if it is missing and --study was not given."""
    if not required and name not in optuna.get_all_study_names(storage):
        return None
    return open_study(storage, name, create=False)._study_id


def _folder(
    storage: BaseStorage, name: str, wanted: str | None
) -> Callable[[], Path | None] | None:
    """Return a function that finds the folder of the drawings; None if there will be none."""
    if wanted is not None:
        if not Path(wanted).is_dir():
            raise SearchError(
                f"artifacts must be a folder with the drawings of a search; there is none at "
                f"{wanted!r}"
            )
        return lambda: Path(wanted)

    def known() -> Path | None:
        if name not in optuna.get_all_study_names(storage):
            return None
        plan = readable_plan(open_study(storage, name, create=False))
        return None if plan is None else artifact_folder(plan.out)

    folder = known()
    if folder is None:
        if _has_trials(storage, name):
            notice(
                f"study {name!r} was not searched by `relativenas search`: there are no drawings; "
                f"if there are, pass their folder by --artifacts"
            )
            return None
        notice(f"study {name!r} has no search yet: drawings are shown as soon as there are some")
        return known
    if not folder.exists():
        if not folder.parent.is_dir():
            notice(
                f"the search's folder {folder.parent} is not on this machine: drawings are not "
                f"shown; pass their folder by --artifacts to show them"
            )
            return None
        # A search that continues writes its drawings there.
        notice(f"there are no drawings yet in {shown_path(folder)}")
    return lambda: folder


def _has_trials(storage: BaseStorage, name: str) -> bool:
    if name not in optuna.get_all_study_names(storage):
        return False
    study_id = storage.get_study_id_from_name(name)
    return storage.get_n_trials(study_id) > 0
