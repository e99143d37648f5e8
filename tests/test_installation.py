"""The package works where libraries, or modules of Python itself, are missing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Libraries of the package that a search with a sampler and an objective of your own never imports.
NOT_FOR_SAMPLERS = (
    "bottle",
    "click",
    "jinja2",
    "matplotlib",
    "optuna_dashboard",
    "plotly",
    "rich",
    "safetensors",
    "sklearn",
    "tensorboard",
    "torch",
    "torchvision",
)
# What Python has on POSIX systems, and on Windows has not (its documentation says so of each).
POSIX_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
POSIX_NAMES = {
    "os": (
        "chown fchmod fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp "
        "getsid getuid killpg mkfifo nice openpty pathconf posix_fadvise posix_spawn pread pwrite "
        "register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile setpgid setsid "
        "statvfs sync sysconf uname wait wait3 wait4 WNOHANG O_CLOEXEC O_DIRECTORY O_NOFOLLOW "
        "O_NONBLOCK O_SYNC"
    ),
    "signal": (
        "SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 "
        "SIGUSR2 SIGWINCH alarm getitimer pause pthread_kill pthread_sigmask setitimer "
        "siginterrupt sigpending sigwait"
    ),
    "socket": "AF_UNIX SO_REUSEPORT",
    "time": "tzset clock_gettime CLOCK_MONOTONIC",
}


def run_python(code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_samplers_search_without_the_libraries_of_the_other_parts() -> None:
    code = f"""
import sys
for name in {NOT_FOR_SAMPLERS}:
    sys.modules[name] = None  # so that importing it fails
import optuna
from relativenas_optuna import MIGOSampler, RelativeNASSampler, open_storage
from relativenas_optuna.samplers import RegularizedEvolutionSampler
optuna.logging.set_verbosity(optuna.logging.WARNING)
space = {{"x": optuna.distributions.IntDistribution(-4, 5)}}
for sampler in (
    RelativeNASSampler(population_size=4, seed=0),
    MIGOSampler(population_size=6, seed=0),
    RegularizedEvolutionSampler(space, population_size=4, seed=0),
):
    study = optuna.create_study(sampler=sampler, storage=open_storage("sqlite://"))
    study.optimize(lambda trial: trial.suggest_int("x", -4, 5) ** 2, n_trials=24)
    print(study.best_value)
"""
    assert run_python(code).split() == ["0.0"] * 3


@pytest.mark.slow
def test_every_module_imports_without_what_python_lacks_on_windows() -> None:
    """Other libraries are imported before, as they have versions of their own for Windows."""
    code = f"""
import importlib, pathlib, sys
import bottle, jinja2, matplotlib.figure, matplotlib.style, optuna_dashboard, plotly.offline
import rich.progress, scipy.stats, sklearn.datasets, sklearn.metrics, sqlalchemy, timm
import torch.utils.tensorboard, torchvision
for name in {POSIX_MODULES}:
    sys.modules[name] = None
for module, attributes in {POSIX_NAMES}.items():
    for attribute in attributes.split():
        vars(importlib.import_module(module)).pop(attribute, None)
count = 0
for path in pathlib.Path("relativenas_optuna").rglob("*.py"):
    if path.name != "__main__.py":
        try:
            importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
            count += 1
        except ModuleNotFoundError as error:
            if error.name not in ("MySQLdb", "psycopg"):  # drivers that need not be installed
                raise
print(count)
"""
    assert int(run_python(code)) > 300
