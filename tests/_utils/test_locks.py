from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from filelock import Timeout

from relativenas_optuna._utils.locks import locked
from tests.helpers.command import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from relativenas_optuna._utils.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_excludes_others_until_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path) as held:
        assert held
        with locked(path, timeout=0.01) as again:
            assert not again
        with pytest.raises(Timeout), locked(path, timeout=0):
            pass
    with locked(path, timeout=0, remove=True) as again:
        assert again
    assert not path.exists()


def test_a_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with locked(path, timeout=0.05) as held:
            assert not held
        process.kill()
        process.wait()
        with locked(path, timeout=5) as held:
            assert held


def test_a_lock_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="keep the study in a database"), locked(tmp_path / "file/a"):
        pass
