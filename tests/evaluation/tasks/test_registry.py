"""Test the registry of tasks: names, and what a file from elsewhere cannot do."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relativenas_optuna.evaluation.tasks.registry import load_task, register_task, task_named
from relativenas_optuna.exceptions import TaskError

PARTS = (
    "recipe",
    "strides",
    "outputs",
    "protocol",
    "load",
    "network",
    "loss",
    "predict",
    "meter",
    "draw",
    "serving",
)


def task(name: Any, without: str = "") -> SimpleNamespace:
    return SimpleNamespace(name=name, **{part: None for part in PARTS if part != without})


def test_a_registered_task_is_found_by_its_name() -> None:
    own = register_task(task("depth"))
    assert task_named("depth") is own
    again = register_task(task("depth"))
    assert task_named("depth") is again


@pytest.mark.parametrize("name", ["detection", "classification", "a b", "", 7])
def test_a_name_that_is_taken_or_no_name_is_refused(name: Any) -> None:
    with pytest.raises(TaskError, match=r"none of classification, detection, .*; got "):
        register_task(task(name))


def test_a_task_that_lacks_a_part_is_refused_by_the_part() -> None:
    with pytest.raises(TypeError, match="task must have meter, see Task; SimpleNamespace has not"):
        register_task(task("depth", without="meter"))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TaskError, match=r"one of classification, detection, .*got 'segmentaton'"):
        load_task("segmentaton")


def test_a_module_is_imported_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_depth.py").write_text(
        "from tests.evaluation.tasks.test_registry import register_task, task\n"
        "DEPTH = register_task(task('depths'))\nOTHER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match="got 'my_depth:DEPTH'"):
        task_named("my_depth:DEPTH")
    assert "my_depth" not in sys.modules
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert load_task("my_depth:DEPTH") is task_named("depths")
    with pytest.raises(TaskError, match="must be what register_task returned; got int"):
        load_task("my_depth:OTHER")
    with pytest.raises(TaskError, match="module 'my_missing' of task 'my_missing:DEPTH' cannot"):
        load_task("my_missing:DEPTH")
