"""Imports go downward only, and importing the package costs little more than importing Optuna."""

import ast
import graphlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "relativenas_optuna"
ROOT = Path(__file__).parent.parent
# What the modules of a layer may import beside the standard library, the layer itself and the
# root's private modules, which import nothing of the package.
ALLOWED = {
    "samplers": {"numpy", "optuna", "psutil", "scipy", "sqlalchemy", "threadpoolctl"},
    "spaces": {"numpy", "optuna.distributions", "optuna.trial", "optuna.Trial"},
    "networks": {"numpy", "safetensors", "torch", f"{PACKAGE}.spaces"},
    "training": {
        "numpy",
        "PIL",
        "sklearn",
        "torch",
        "torchvision",
        f"{PACKAGE}.networks",
        f"{PACKAGE}.spaces",
    },
    "checkpoints": {
        "optuna",
        "sqlalchemy",
        "torch",
        f"{PACKAGE}.networks",
        f"{PACKAGE}.samplers",
        f"{PACKAGE}.spaces",
        f"{PACKAGE}.training",
    },
    "standalone": {
        "matplotlib",
        "numpy",
        "onnxruntime",
        "sklearn",
        "torch",
        f"{PACKAGE}.checkpoints.faults",
        f"{PACKAGE}.networks",
        f"{PACKAGE}.out_folder",
        f"{PACKAGE}.plan",
        f"{PACKAGE}.search_settings",
        f"{PACKAGE}.spaces",
        f"{PACKAGE}.training",
    },
    "report": {
        "jinja2",
        "markupsafe",
        "optuna",
        "plotly",
        "torch",
        f"{PACKAGE}.choice",
        f"{PACKAGE}.drawing",
        f"{PACKAGE}.output",
        f"{PACKAGE}.plan",
        f"{PACKAGE}.samplers.plain_data",
        f"{PACKAGE}.samplers.view",
        f"{PACKAGE}.search_settings",
        f"{PACKAGE}.spaces",
        f"{PACKAGE}.status_record",
        f"{PACKAGE}.study_facts",
        f"{PACKAGE}.study_status",
        f"{PACKAGE}.training.device",
        f"{PACKAGE}.visualization",
    },
    "drawing": {"matplotlib", f"{PACKAGE}.spaces"},
    "visualization": {"numpy", "optuna", "plotly", f"{PACKAGE}.samplers"},
}
HEAVY = {
    "matplotlib",
    "pandas",
    "plotly",
    "psycopg2",
    "pymysql",
    "scipy",
    "sklearn",
    "tensorboard",
    "torch",
    "torchvision",
}


def module_files() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    files = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


FILES = module_files()
BOTTOM = {name for name in FILES if name.startswith(f"{PACKAGE}._")} - {f"{PACKAGE}.__main__"}


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports anywhere: at its top, in a function, for types only."""
    folder = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def own_module(name: str) -> str | None:
    """The module of the package that holds an imported name; None for what is not ours."""
    if not within(name, {PACKAGE}):
        return None
    return name if name in FILES else name.rpartition(".")[0]


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below_it(layer: str) -> None:
    allowed = ALLOWED[layer] | {f"{PACKAGE}.{layer}"} | BOTTOM | set(sys.stdlib_module_names)
    names = [name for name in FILES if within(name, {f"{PACKAGE}.{layer}"})]
    assert names
    upward = {
        (name, target)
        for name in names
        for target in imported(FILES[name])
        if not within(target, allowed)
    }
    assert not upward


def test_private_root_modules_import_nothing_of_the_package() -> None:
    for name in BOTTOM:
        assert not [target for target in imported(FILES[name]) if own_module(target)]


def test_nothing_imports_the_command_line() -> None:
    users = {
        name
        for name, path in FILES.items()
        for target in imported(path)
        if own_module(target) == f"{PACKAGE}.cli" and name != f"{PACKAGE}.__main__"
    }
    assert not users


def test_no_module_imports_the_package_face() -> None:
    """The root's lazy face is for users: inside, it would hide which part needs which."""
    users = {
        (name, target)
        for name, path in FILES.items()
        for target in imported(path)
        if own_module(target) == PACKAGE and name != PACKAGE
    }
    assert not users


def test_imports_form_no_cycle() -> None:
    graph = {
        name: {own for target in imported(path) if (own := own_module(target)) is not None}
        for name, path in FILES.items()
        if name != PACKAGE
    }
    for name, targets in graph.items():
        targets.discard(name)
    graphlib.TopologicalSorter(graph).prepare()


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        f"import {PACKAGE}",
        f"from {PACKAGE} import RelativeNASSampler",
        f"from {PACKAGE} import CellSpace",
        f"from {PACKAGE}.samplers import RelativeNASSampler, SearchView, trusted_trial",
    ],
)
def test_import_loads_no_torch_no_driver_and_no_drawing(statement: str) -> None:
    added = loaded_by(statement) - loaded_by("import optuna")
    assert PACKAGE in added
    assert not added & HEAVY


def test_the_list_of_commands_loads_neither_optuna_nor_a_command() -> None:
    assert not loaded_by(f"import {PACKAGE}.commands") & {"optuna", "rich", "sqlalchemy"}


@pytest.mark.parametrize("package", [PACKAGE, f"{PACKAGE}.samplers"])
def test_public_names_are_there_and_listed(package: str) -> None:
    face = importlib.import_module(package)
    assert set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert getattr(face, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'missing'"):
        face.missing  # noqa: B018
