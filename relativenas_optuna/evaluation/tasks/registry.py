"""Tasks by name: the built-in ones, and those that a user registers."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.dotted_names import is_dotted, load_dotted
from relativenas_optuna.exceptions import TaskError

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.tasks.task import Task

CLASSIFICATION = "classification"
"""Name of the task of `training_run` with labelled images, which is no `Task`."""
BUILT_IN = {
    "detection": "relativenas_optuna.evaluation.tasks.detection.task:DETECTION",
    "segmentation": "relativenas_optuna.evaluation.tasks.segmentation.task:SEGMENTATION",
    "keypoints": "relativenas_optuna.evaluation.tasks.keypoints.task:KEYPOINTS",
}
"""Places of the tasks of this package by name."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_PARTS = (
    "recipe", "strides", "outputs", "protocol", "load", "network", "loss", "predict", "meter",
    "draw", "serving",
)  # fmt: skip
_REGISTERED: dict[str, Task] = {}


def register_task(task: Any) -> Any:
    """Register a task, for `relativenas train --task MODULE:ATTRIBUTE`.

    Assign the result to a variable of a module in the current folder or on the Python path. A task
    of the same name that was registered before is replaced.

    Args:
        task: The task; see `Task`.

    Returns:
        The task.

    Raises:
        TaskError: The name is taken by a built-in task or is no name.
        TypeError: The task lacks a part of the protocol.
    """
    missing = [part for part in ("name", *_PARTS) if not hasattr(task, part)]
    if missing:
        raise TypeError(
            f"task must have {', '.join(missing)}, see Task; {type(task).__name__} has not"
        )
    name = task.name
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _reserved():
        raise TaskError(
            f"the name of a task must be letters, digits and '_', and none of "
            f"{', '.join(_reserved())}; got {name!r:.100}"
        )
    _REGISTERED[name] = task
    return task


def task_named(name: str) -> Task:
    """Return the task of a name, without importing a module of the user.

    A file from elsewhere may name a task, and must not decide which code is run.

    Raises:
        TaskError: No task of that name is registered in this process.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        task: Task = getattr(import_module(module), attribute)
        return task
    if name in _REGISTERED:
        return _REGISTERED[name]
    known = ", ".join((*_reserved(), *_REGISTERED))
    raise TaskError(
        f"task must be one of {known}, or MODULE:ATTRIBUTE of a task that register_task returned; "
        f"got {name!r:.100}"
    )


def load_task(name: str) -> Task:
    """Return the task of a name; the module of a name MODULE:ATTRIBUTE is imported.

    The module is looked for on the Python path and then in the current folder.

    Raises:
        TaskError: No such task is registered, or the module or its attribute is missing.
    """
    if not is_dotted(name):
        return task_named(name)
    try:
        found = load_dotted(name, "task")
    except ImportError as error:
        raise TaskError(str(error)) from error
    if found.value not in _REGISTERED.values():
        raise TaskError(f"{found.where} must be what register_task returned; got {found.kind}")
    task: Task = found.value
    return task


def _reserved() -> tuple[str, ...]:
    return CLASSIFICATION, *BUILT_IN
