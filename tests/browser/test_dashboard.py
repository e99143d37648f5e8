"""A browser looks at a short search in the stock optuna-dashboard.

It takes Chromium or Chrome, and is skipped where there is neither; with RELATIVENAS_TEST_BROWSER=1
it must run. What it saw is kept in `screenshots/` at the root of the project.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna import SearchView
from relativenas_optuna.dashboard import artifact_folder
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call, write_study_file
from tests.helpers.dashboard_shown import FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, ViewportSize

VARIABLE = "RELATIVENAS_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
PATIENCE = 120.0  # seconds, which only a fault takes; a busy machine takes some
STUDY = '<img src=x onerror="alert(1)"> `a`/b | \\\\'
# What Plotly draws a line, a bar and a heat map as.
DRAWN = ".scatterlayer .trace path, .barlayer .trace path, .heatmaplayer image"
WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}


def browser() -> str:
    """Return the path of a browser; skip the test if there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get(VARIABLE):
        pytest.fail(f"{VARIABLE} is set, but there is no browser: apt-get install chromium")
    if found is None:
        pytest.skip("there is no Chromium and no Chrome")
    return found


@contextmanager
def dashboard(url: str, artifacts: Path) -> Iterator[str]:
    """Yield the address of a running dashboard."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("optuna-dashboard"))
    command = [program, url, "--artifact-dir", str(artifacts), "--port", str(port), "--quiet"]
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{address}/api/studies").close()
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.1)
            yield f"{address}/dashboard/studies/1"
        finally:
            process.terminate()


@contextmanager
def page(program: str) -> Iterator[Page]:
    """Yield a page of a browser in which nothing may go wrong."""
    from playwright.sync_api import sync_playwright

    mistakes: list[str] = []
    with sync_playwright() as playwright:
        # As root, which CI is, Chromium has no sandbox.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = opened.new_page(viewport=WIDE)
        tab.set_default_timeout(1000 * PATIENCE)
        tab.on("dialog", lambda dialog: mistakes.append(dialog.message))
        tab.on("pageerror", lambda error: mistakes.append(str(error)))
        yield tab
        opened.close()
    assert not mistakes


@pytest.fixture
def searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[str, Path, int]:
    """Return a short search: its database, its drawings, and its last generation's best trial."""
    monkeypatch.chdir(tmp_path)
    file = Path(write_study_file(tmp_path, "mine", generations=2))
    file.write_text(file.read_text().replace("'mine'", f"'{STUDY}'"))
    outcome = call(capfd, "run", str(file))
    assert (outcome.status, outcome.err) == (0, "")
    url = "sqlite:///relativenas.db"
    with storage_at(url) as storage:
        (name,) = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=name, storage=storage)
        plan, view = SearchPlan.stored_in(study), SearchView.of(study)
        assert plan is not None
        assert view is not None
        last = view.generations[1]
        assert last.best is not None
        best = last.members[last.best].counted
        assert best is not None
    return url, artifact_folder(plan.out), best


def test_a_browser_shows_the_figures_the_notes_and_the_drawing(
    searched: tuple[str, Path, int],
) -> None:
    program = browser()
    url, artifacts, best = searched
    SCREENSHOTS.mkdir(exist_ok=True)
    with dashboard(url, artifacts) as address, page(program) as tab:
        tab.goto(address)
        for name in FIGURES:
            figure = tab.locator(f'[id="user-defined-plot:{name}"]')
            figure.locator(DRAWN).first.wait_for(state="attached")
            assert figure.locator(".gtitle").text_content()
            assert figure.locator(".annotation").count() == 0  # which would say why it is empty
            box = figure.locator(".main-svg").first.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) > 200
        tab.screenshot(path=SCREENSHOTS / "study.png", full_page=True)
        tab.emulate_media(color_scheme="dark")
        tab.set_viewport_size(NARROW)
        tab.reload()  # for Plotly does not follow the window
        for name in FIGURES:
            tab.locator(f'[id="user-defined-plot:{name}"]').locator(DRAWN).first.wait_for(
                state="attached"
            )
        tab.screenshot(path=SCREENSHOTS / "study-narrow-dark.png", full_page=True)
        tab.emulate_media(color_scheme="light")
        tab.set_viewport_size(WIDE)

        tab.goto(f"{address}/trials?numbers={best}")
        tab.get_by_text("The best of generation 1", exact=True).wait_for()
        for row in ("seat", "partner", "outcome", "parameters", "multiply-adds", "weight set"):
            assert tab.get_by_role("cell", name=row, exact=True).is_visible()
        drawings = tab.locator('img[src*="/artifacts/"]')
        drawings.nth(1).wait_for()  # in the note, and among the artifacts
        for number in range(2):
            width = drawings.nth(number).evaluate("i => i.decode().then(() => i.naturalWidth)")
            assert width > 500
        tab.screenshot(path=SCREENSHOTS / "trial.png")

        tab.goto(f"{address}/note")
        tab.get_by_text("2 of 2 generations are complete").wait_for()
        shown = tab.locator("pre").first.inner_text()
        assert "onerror=" in shown
        assert shown.split()[1] == "search"
        assert tab.locator('img[src="x"]').count() == 0
        tab.screenshot(path=SCREENSHOTS / "note.png")
