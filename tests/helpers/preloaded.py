"""Imports of the server from which the tests fork processes; see `forked`."""

import importlib
import pkgutil
from contextlib import suppress

import torch

import relativenas_optuna
import tests.helpers

# Functions import these in the middle of a search.
_LATE = (
    "PIL.PngImagePlugin",
    "alembic.command",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "plotly.graph_objects",
    "psycopg2",
    "pymysql",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.metrics",
    "sqlalchemy.dialects.sqlite",
    "torch._dynamo",
    "torch.utils.tensorboard",
)

for name in _LATE:
    importlib.import_module(name)
for package in (relativenas_optuna, tests.helpers):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        with suppress(ModuleNotFoundError):  # a driver of a database that is not installed
            if not module.name.endswith(("__main__", __name__)):
                importlib.import_module(module.name)

torch.set_num_threads(1)  # a fork of a process with more threads may never end
