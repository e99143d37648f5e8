"""Worker processes that a command starts on its own machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.signals import BESIDE_VARIABLE, ctrl_c_ignored, raise_in_main_thread
from relativenas_optuna.cli.options.common import STORAGE_VARIABLE
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.seats.worker import is_dead, this_worker
from relativenas_optuna.storages.urls import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 10.0  # seconds for a worker to end in order after a signal
_PAUSE = 1.0  # seconds between two checks of the command's process
_MAIN = "from relativenas_optuna.cli.main import main; main()"


@contextmanager
def workers_beside(count: int, *, storage: str, study: str, device: str | None) -> Iterator[None]:
    """Run `count` processes of `relativenas worker` beside the block.

    Each has as many threads of PyTorch as this process. The block's end waits until the workers
    have finished the search; after an error it ends them by a signal. If this process is
    killed, they end within seconds.

    Args:
        count: Number of workers, from 0.
        storage: URL of the study's storage.
        study: Name of the study.
        device: Device of every worker; None to let each worker choose one.

    Raises:
        SearchError: The storage is in memory, so other processes cannot use it.
    """
    if count and is_in_memory(storage):
        raise SearchError(
            f"workers must be 1 for a study in memory, which no other process sees; got {count + 1}"
        )
    words = [sys.executable, "-c", _MAIN, "worker", "--study", study]
    words += [] if device is None else ["--device", device]
    # A URL can contain a password, and all users can read command lines but not the environment.
    surroundings = os.environ | {
        STORAGE_VARIABLE: storage,
        BESIDE_VARIABLE: json.dumps(this_worker()),
    }
    if count:
        import torch

        surroundings["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    with ctrl_c_ignored():
        crew = [
            subprocess.Popen(
                words, env=surroundings | {"LOCAL_RANK": str(rank)}, stdout=subprocess.DEVNULL
            )
            for rank in range(1, count + 1)
        ]
    try:
        yield
        for worker in crew:
            worker.wait()
    finally:
        for worker in crew:
            _end(worker)
    failed = [str(worker.returncode) for worker in crew if worker.returncode]
    if failed:
        click.echo(
            f"{len(failed)} of {count} workers ended with status {', '.join(failed)}; their seats "
            f"were scored by others",
            err=True,
        )


def end_with_command() -> None:
    """Let a local worker end when the command that started it is gone.

    A command that is killed (by SIGKILL, or by the system when memory is short) cannot end its
    workers. A worker that does not end within 10 seconds after its signal exits at once. In any
    other process this function does nothing.
    """
    command = os.environ.get(BESIDE_VARIABLE)
    if command:
        threading.Thread(target=_end_after, args=(json.loads(command),), daemon=True).start()


def _end_after(command: dict[str, Any]) -> None:
    while not is_dead(command):
        time.sleep(_PAUSE)
    raise_in_main_thread(signal.SIGTERM)
    time.sleep(_PATIENCE)
    os._exit(128 + signal.SIGTERM)


def _end(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is not None:
        return
    worker.terminate()
    try:
        worker.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
