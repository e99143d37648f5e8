"""Both commands of ask and tell, for studies that Optuna's own command made."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import ENVIRONMENT, call

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.helpers.command import Outcome

T = TypeVar("T")
OPTUNA = Path(sys.executable).parent / "optuna"
SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(-1.0, 1.0),
    "op": CategoricalDistribution([None, float("inf"), "skip"]),
    "one": FloatDistribution(3.0, 3.0),
}
SPACE_JSON = json.dumps(
    {
        "x": {"name": "FloatDistribution", "attributes": {"low": -1.0, "high": 1.0}},
        "op": {
            "name": "CategoricalDistribution",
            "attributes": {"choices": [None, float("inf"), "skip"]},
        },
        "one": {"name": "FloatDistribution", "attributes": {"low": 3.0, "high": 3.0}},
    }
)
NEW = ("--search-space", SPACE_JSON, "--population", "4", "--seed", "7")


PROGRAM = (
    sys.executable,
    "-c",
    "import sys\n"
    "from relativenas_optuna.cli.main import main\n"
    "main()\n"
    "assert not {'torch', 'matplotlib', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)",
)


def run_optuna(*words: str) -> str:
    """Run Optuna's own command, and return its output."""
    run = subprocess.run(
        [OPTUNA, "-q", *words], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


class Shell:
    """A study that `optuna create-study` made, and both commands for it."""

    def __init__(self, storage: str, name: str) -> None:
        self.storage = storage
        self.name = name

    def by_optuna(self, command: str, *words: str) -> str:
        where = ("--storage", self.storage, "--study-name", self.name)
        return run_optuna(command, *where, *words)

    def words(self, command: str, *words: str) -> list[str]:
        return [command, *words, "--storage", self.storage, "--study", self.name]

    def run(self, capfd: pytest.CaptureFixture[str], command: str, *words: str) -> Outcome:
        return call(capfd, *self.words(command, *words))

    def json(self, capfd: pytest.CaptureFixture[str], command: str, *words: str) -> Any:
        outcome = self.run(capfd, command, *words)
        assert (outcome.status, outcome.err) == (0, "")
        return parsed(outcome.out)

    def fresh(self, command: str, *words: str) -> Any:
        """Run a command in a new process and return its parsed output."""
        run = subprocess.run(
            [*PROGRAM, *self.words(command, *words)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, "")
        return parsed(run.stdout)

    def look(self, see: Callable[[optuna.Study], T]) -> T:
        """Call a function with the study as a new process would load it."""
        with storage_at(self.storage, heartbeat_interval=None) as storage:
            study = optuna.load_study(
                study_name=self.name, storage=storage, sampler=RelativeNASSampler()
            )
            return see(study)


def parsed(text: str) -> Any:
    """Parse one line of standard JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not in JSON")

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


@cache
def _two_studies() -> bytes:
    """Return a database with the empty studies "my" and "two"."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.db"
        for name, directions in [("my", ["minimize"]), ("two", ["minimize", "maximize"])]:
            study = ("--storage", f"sqlite:///{file}", "--study-name", name)
            run_optuna("create-study", *study, "--directions", *directions)
        return file.read_bytes()


def created(folder: Path, name: str) -> Shell:
    """Create the study "my", which minimises, or "two", which minimises and maximises."""
    file = folder / "a.db"
    file.write_bytes(_two_studies())
    return Shell(f"sqlite:///{file}", name)
