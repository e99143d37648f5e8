"""Every example runs as a reader would run it, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
MINUTES = ("workers_ray.py", "workers_torchrun.py")


@pytest.mark.example
@pytest.mark.parametrize(
    "example",
    [pytest.param(name, marks=pytest.mark.slow if name in MINUTES else ()) for name in EXAMPLES],
)
def test_example_runs_in_an_empty_folder(example: str, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / example)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        check=True,
    )
