"""Settings of all tests, and the search that several look at."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.command import call, write_study_file

if TYPE_CHECKING:
    from pathlib import Path

# Without it, commands in this process would time their steps, and two searches could differ.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes, or is drawn, says more about the machine than about the code.
settings.register_profile(
    "relativenas", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("relativenas")

# Ctrl-C is ignored in the background of a shell and on many CI runners, and a command that is
# started so keeps ignoring it. The commands that are tested here hear it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that a mark `slow_except` leaves to the slow ones."""
    for item in items:
        for mark in item.iter_markers("slow_except"):
            parameters = item.callspec.id if isinstance(item, pytest.Function) else ""
            if not any(words in parameters for words in mark.args):
                item.add_marker(pytest.mark.slow)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of `finished`."""
    folder = tmp_path_factory.mktemp("searched")
    write_study_file(folder, "mine", generations=2)
    return folder


@pytest.fixture
def finished(
    searched: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Path:
    """Return the current folder, in which the study "mine" is finished after 2 generations of 2."""
    monkeypatch.chdir(searched)
    if not (searched / "relativenas.db").exists():
        assert call(capfd, "run", "mine.toml").status == 0
    return searched
