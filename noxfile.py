"""Checks of the project: `nox` runs the first five sessions; `nox -l` lists the rest."""

import os
import re
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "examples", "docs"]

ROOT = Path(__file__).parent.absolute()
PYPROJECT = nox.project.load_toml("pyproject.toml")
# Two test processes share two cores best with one thread each.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# An interpreter with all packages, for machines on which nothing can be installed.
PYTHON = os.environ.get("RELATIVENAS_PYTHON")
# What a wheel can lack: modules, templates, metadata of the command, dependencies.
TESTS_OF_WHEEL = (
    "tests/cli/test_main.py",
    "tests/dashboard/html_report",
    "tests/samplers/relative_nas/test_golden_trace.py",
    "tests/spaces",
    "tests/visualization/drawing",
)
BENCHMARKS = ("candidate", "dashboard", "sampler", "training", "workers")


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


def interpreter(session: nox.Session) -> str:
    """Return the interpreter of the `environment` session, or that of RELATIVENAS_PYTHON.

    PyTorch takes gigabytes and a minute to install, so the sessions that need it share one
    environment instead of having one each.
    """
    if PYTHON:
        return PYTHON
    # Absolute, for sessions that go to another folder.
    shared = ROOT / Path(session.cache_dir).parent / "environment"
    scripts = shared / ("Scripts" if (shared / "Scripts").is_dir() else "bin")
    return str(scripts / "python")


def surroundings() -> dict[str, str]:
    """Return the environment variables with which Python finds the package."""
    if not PYTHON:
        return {}
    # The package need not be installed there.
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    return {"PYTHONPATH": os.pathsep.join(paths)}


def python(session: nox.Session, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Run Python with these arguments."""
    env = surroundings() | (env or {})
    session.run(interpreter(session), *arguments, env=env, external=True)


@nox.session(default=False)
def environment(session: nox.Session) -> None:
    """Install the package with what its tests and its type check need."""
    if PYTHON:
        session.log(f"nothing to install: RELATIVENAS_PYTHON is {PYTHON}")
    else:
        session.install("-e", ".", *group("types"))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(venv_backend="none", requires=["environment"])
def types(session: nox.Session) -> None:
    """Check the types of package, tests and noxfile with strict mypy."""
    python(session, "-m", "mypy", *session.posargs)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def platforms(session: nox.Session) -> None:
    """Check the types of the package as on Windows and on macOS."""
    for platform in ("win32", "darwin"):
        # A cache of its own, as mypy drops that of another platform.
        options = ("--platform", platform, "--cache-dir", f".mypy_cache/{platform}")
        python(session, "-m", "mypy", *options, "-p", "relativenas_optuna")


@nox.session(venv_backend="none", requires=["environment"])
def tests(session: nox.Session) -> None:
    """Run the tests in two processes; `nox -s tests -- -m slow` runs the slow ones."""
    processes = ("-n", "2", "--dist", "worksteal")
    python(session, "-m", "pytest", *processes, *session.posargs, env=ONE_THREAD)


@nox.session(venv_backend="none", requires=["environment"])
def examples(session: nox.Session) -> None:
    """Run the examples, two at a time; `nox -s examples -- -m example` adds two slow ones."""
    options = ("-m", "example and not slow", "-n", "2", "--dist", "worksteal", "--durations=5")
    python(session, "-m", "pytest", *options, "tests/test_examples.py", *session.posargs)


@nox.session(default=False)
def integrations(session: nox.Session) -> None:
    """Run the examples with Lightning, LightGBM, MLflow, Ray Tune, Hugging Face and others.

    The session has an environment of its own, as these libraries bring many others.
    """
    session.install(".", *group("integrations"))
    for example in sorted(Path("examples/integrations").resolve().glob("*.py")):
        with tempfile.TemporaryDirectory() as folder, session.chdir(folder):
            session.run("python", str(example), env=ONE_THREAD)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def notebooks(session: nox.Session) -> None:
    """Run the notebooks from top to bottom; `nox -s notebooks -- --write` stores their outputs."""
    python(session, "tools/run_notebooks.py", *session.posargs, env=ONE_THREAD)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def readme(session: nox.Session) -> None:
    """Run every command of the README as it stands, studies/digits.toml among them."""
    python(session, "-m", "pytest", "-m", "slow", "tests/test_readme.py", env=ONE_THREAD)


@nox.session(venv_backend="none", requires=["environment"])
def docs(session: nox.Session) -> None:
    """Build the site into site/, all warnings being errors; `nox -s docs -- serve` shows it."""
    command = session.posargs or ["build", "--strict"]
    # Material warns of MkDocs 2, which pyproject.toml excludes.
    python(session, "-m", "mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(default=False, venv_backend="none", requires=["environment"])
def docs_version(session: nox.Session) -> None:
    """Commit the site of this version, such as 0.1, to the local branch gh-pages beside others.

    Arguments are those of `mike deploy`: `nox -s docs_version -- --push`. The branch's start page
    leads to the version that was deployed last.
    """
    init = Path("relativenas_optuna/__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(\d+\.\d+)', init, re.M)
    programs = Path(interpreter(session)).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"  # mike starts `mkdocs`
    env = surroundings() | {"NO_MKDOCS_2_WARNING": "1", "PATH": path}
    for step in (("deploy", "--update-aliases", version, "latest"), ("set-default", "latest")):
        session.run(str(programs / "mike"), *step, *session.posargs, env=env, external=True)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def figures(session: nox.Session) -> None:
    """Make the figures and screenshots of the site anew, with Chromium and npm."""
    python(session, "docs/_scripts/figures.py", *session.posargs)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def docs_commands(session: nox.Session) -> None:
    """Run every code block of the site's pages as a reader would, each page in a new folder."""
    options = ("-m", "slow or not slow", *session.posargs)
    python(session, "-m", "pytest", *options, "tests/docs/test_code_blocks.py", env=ONE_THREAD)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def bench(session: nox.Session) -> None:
    """Run the benchmarks, or one of them: `nox -s bench -- sampler --only workers`."""
    name, *options = session.posargs or ["all"]
    for benchmark in BENCHMARKS if name == "all" else [name]:
        python(session, f"benchmarks/{benchmark}.py", *options)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def gpu(session: nox.Session) -> None:
    """Run the tests marked `gpu`, and measure on the GPU what users run, in under ten minutes."""
    probe = (interpreter(session), "-c", "import torch; print(torch.cuda.is_available())")
    if str(session.run(*probe, external=True, silent=True)).split() != ["True"]:
        session.skip("PyTorch finds no CUDA device")
    try:
        python(session, "-m", "pytest", "-m", "gpu", "tests/test_gpu.py")
    finally:  # GPUs are rare, so a failed test leaves the measurements
        python(session, "benchmarks/gpu.py", *session.posargs)


@nox.session(default=False, venv_backend="none", requires=["environment"])
def chaos(session: nox.Session) -> None:
    """Kill workers and mix what they do for ten minutes and more; databases as for `tests`."""
    longer = {"RELATIVENAS_TEST_CHAOS": "600", "RELATIVENAS_TEST_EXAMPLES": "2000"}
    files = (
        f"tests/samplers/seats/test_{name}.py" for name in ("interleavings", "workers", "chaos")
    )
    slow = ("-m", "slow or not slow", "--durations=5", *session.posargs)
    python(session, "-m", "pytest", *files, *slow, env=ONE_THREAD | longer)


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build sdist and wheel into dist/, twice with equal bytes, and check their metadata."""
    session.install("build>=1.2", "twine>=6")
    date = session.run("git", "log", "-1", "--format=%ct", silent=True, external=True)
    built = []
    for _ in range(2):
        shutil.rmtree("dist", ignore_errors=True)
        session.run("python", "-m", "build", env={"SOURCE_DATE_EPOCH": str(date).strip()})
        files = sorted(Path("dist").iterdir())
        built.append({file.name: sha256(file.read_bytes()).hexdigest() for file in files})
    if built[0] != built[1]:
        session.error(f"two builds differ: {built}")
    session.run("twine", "check", "--strict", *map(str, files))


@nox.session(default=False, reuse_venv=False, requires=["build"])
def package(session: nox.Session) -> None:
    """Install the wheel into a fresh environment; run the first search and some tests there.

    Arguments are those of pip: `nox -s package -- --extra-index-url URL`.
    """
    (wheel,) = map(str, Path("dist").glob("*.whl"))
    session.install(wheel, *session.posargs)
    session.run("python", "-m", "pip", "check")
    here = ONE_THREAD | {"PYTHONPATH": ""}
    with tempfile.TemporaryDirectory() as folder:
        # Away from the checkout, whose modules would hide the installed ones.
        shutil.copytree("tests", Path(folder, "tests"))
        shutil.copy("pyproject.toml", folder)
        with session.chdir(folder):
            session.run("relativenas", "search", env=here)
            session.run("relativenas", "report", "relativenas", env=here)
            session.install("hypothesis", "pytest")
            session.run("python", "-m", "pytest", *TESTS_OF_WHEEL, env=here)
