"""The examples of other libraries run, where these libraries are installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "hugging_face": ("datasets",),
    "lightgbm_pruning": ("lightgbm", "optuna_integration"),
    "lightning_pruning": ("lightning", "optuna_integration"),
    "mlflow_callback": ("mlflow", "optuna_integration"),
    "optuna_search_cv": ("optuna_integration", "pandas"),
    "ray_tune": ("ray", "pandas", "pyarrow"),
    "webdataset_stream": ("webdataset",),
}


def test_every_example_of_an_integration_is_listed() -> None:
    files = (ROOT / "examples/integrations").glob("*.py")
    assert {file.stem for file in files} == set(EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs_in_an_empty_folder(example: str, tmp_path: Path) -> None:
    for library in EXAMPLES[example]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    subprocess.run(
        [sys.executable, str(ROOT / f"examples/integrations/{example}.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        check=True,
    )
