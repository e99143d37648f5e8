"""Imports go downward only, and importing the package costs little more than importing Optuna."""

import ast
import graphlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "relativenas_optuna"
ROOT = Path(__file__).parents[1]
# The parts of the package from the ground up. A part imports parts of lower floors only.
FLOORS = (
    {"_utils"},
    {"exceptions"},
    {"spaces", "storages"},
    {"samplers", "networks"},
    {"training", "visualization"},
    {"objective"},
    {"search"},
    {"dashboard", "evaluation"},
    {"cli"},
)
CONVENTIONAL = {"__init__", "__main__", "py.typed"}
# Libraries beside the standard library that a part may import; the parts above are free.
LIBRARIES = {
    "_utils": {"filelock", "numpy", "optuna", "psutil"},
    "exceptions": set(),
    "spaces": {"numpy", "optuna"},
    "storages": {"MySQLdb", "optuna", "psycopg", "psycopg2", "pymysql", "sqlalchemy"},
    "samplers": {"numpy", "optuna", "psutil", "scipy", "sqlalchemy", "threadpoolctl"},
    "networks": {"numpy", "safetensors", "timm", "torch"},
    "training": {"PIL", "datasets", "numpy", "psutil", "sklearn", "torch", "torchvision"},
    "visualization": {"matplotlib", "numpy", "optuna", "plotly"},
    "objective": {"numpy", "optuna", "torch"},
    "search": {"filelock", "numpy", "optuna", "psutil", "sqlalchemy", "torch"},
}
FACES = (
    "dashboard",
    "evaluation",
    "networks",
    "objective",
    "samplers",
    "search",
    "spaces",
    "storages",
    "training",
    "visualization",
)
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
    """Return the file of every module of the package by its dotted name."""
    files = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


FILES = module_files()
OUTSIDE = {PACKAGE, f"{PACKAGE}.__main__"}  # the root's face, and the command's other entry
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}


@cache
def imported(path: Path) -> list[str]:
    """Return the dotted names that a file imports: at its top, in functions, and for types."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def part_of(name: str) -> str:
    return name.split(".")[1]


def own_module(name: str) -> str | None:
    """Return the package's module that holds an imported name; None for other packages."""
    if name.partition(".")[0] != PACKAGE:
        return None
    return name if name in FILES else name.rpartition(".")[0]


def own_imports() -> Iterator[tuple[str, str]]:
    """Yield each module of a part with each module of the package that it imports."""
    for name, path in FILES.items():
        if name not in OUTSIDE:
            for target in imported(path):
                if (own := own_module(target)) is not None:
                    yield name, own


def test_the_root_holds_the_parts_and_nothing_else() -> None:
    entries = {p.stem if p.suffix == ".py" else p.name for p in (ROOT / PACKAGE).iterdir()}
    assert entries - {"__pycache__"} == set(FLOOR) | CONVENTIONAL


def test_a_part_imports_only_parts_of_lower_floors() -> None:
    upward = {
        (name, target)
        for name, target in own_imports()
        if part_of(name) != part_of(target) and FLOOR[part_of(target)] >= FLOOR[part_of(name)]
    }
    assert not upward


@pytest.mark.parametrize("part", LIBRARIES)
def test_a_lower_part_imports_only_its_libraries(part: str) -> None:
    allowed = LIBRARIES[part] | {PACKAGE} | set(sys.stdlib_module_names)
    others = {
        (name, target)
        for name, path in FILES.items()
        if name not in OUTSIDE and part_of(name) == part
        for target in imported(path)
        if target.partition(".")[0] not in allowed
    }
    assert not others


def test_no_module_imports_a_public_face() -> None:
    """The lazy faces are for users: inside, they would hide which module needs which."""
    faces = {PACKAGE} | {f"{PACKAGE}.{face}" for face in FACES}
    assert not {(name, target) for name, target in own_imports() if target in faces}


def test_seats_know_no_sampler() -> None:
    """The part that population samplers share imports none of them and does not name one."""
    seats = f"{PACKAGE}.samplers.seats"
    shared = {"encoding", "intervals", "limits", "seats"}
    for name, path in FILES.items():
        if name.startswith(seats):
            assert "RelativeNAS" not in path.read_text(encoding="utf-8")
    others = {
        (name, target)
        for name, target in own_imports()
        if name.startswith(seats)
        and part_of(target) == "samplers"
        and target.split(".")[2] not in shared
    }
    assert not others


def test_imports_form_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for name, target in own_imports():
        if target != name:
            graph.setdefault(name, set()).add(target)
    graphlib.TopologicalSorter(graph).prepare()


@cache
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
        f"from {PACKAGE} import RelativeNASSampler, CellSpace",
        f"from {PACKAGE}.samplers import RelativeNASSampler, SearchView, trusted_trial",
        "; ".join(f"import {PACKAGE}.{face}" for face in FACES),
    ],
)
def test_import_loads_no_torch_no_driver_and_no_drawing(statement: str) -> None:
    added = loaded_by(statement) - loaded_by("import optuna")
    assert PACKAGE in added
    assert not added & HEAVY


def test_the_list_of_commands_loads_neither_optuna_nor_a_command() -> None:
    assert not loaded_by(f"import {PACKAGE}.cli.commands") & {"optuna", "rich", "sqlalchemy"}


def test_parts_are_attributes_of_the_package() -> None:
    names = " and ".join(f"root.{face}" for face in FACES)
    code = f"import {PACKAGE} as root; assert {names}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["search", "--help"], {}),
        (["run", "--help"], {}),
        (["show", "--help"], {}),
        (
            [],
            {
                "_RELATIVENAS_COMPLETE": "bash_complete",
                "COMP_WORDS": "relativenas search --s",
                "COMP_CWORD": "2",
            },
        ),
    ],
)
def test_help_and_tab_completion_of_common_commands_load_no_optuna(
    words: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    loaded = loaded_by(
        "import contextlib, io\n"
        f"from {PACKAGE}.cli.main import main\n"
        "out = io.TextIOWrapper(io.BytesIO())\n"
        "with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):\n"
        f"    main({words!r})\n"
        "out.flush()\n"
        "assert b'--storage' in out.buffer.getvalue()"
    )
    assert not loaded & {"optuna", "numpy", "rich", "sqlalchemy"}


@pytest.mark.parametrize("package", [PACKAGE, *(f"{PACKAGE}.{face}" for face in FACES)])
def test_public_names_are_there_and_listed(package: str) -> None:
    face = importlib.import_module(package)
    assert face.__all__
    assert set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert getattr(face, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'missing'"):
        face.missing  # noqa: B018


@pytest.mark.parametrize("face", FACES)
def test_no_module_has_the_name_of_a_public_name_of_its_package(face: str) -> None:
    """Python would put the imported module in the place of the class or function."""
    package = importlib.import_module(f"{PACKAGE}.{face}")
    modules = {path.stem for path in (ROOT / PACKAGE / face).iterdir()}
    assert not modules & set(package.__all__)
