"""Make the figures and screenshots of the site anew: `nox -s figures`.

Usage: python docs/_scripts/figures.py [FOLDER]. FOLDER is one in which `relativenas search` has
finished; without it the search runs first, for about four minutes. The script needs Chromium, and
npm for the diagram of the parts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from diagrams import DIAGRAM, diagram_in, marked
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROGRAM = str(Path(sys.executable).with_name("relativenas"))
PATIENCE = 600_000  # milliseconds, for a busy machine
MERMAID = "mermaid@11"
LOADED = "package/dist/mermaid.min.js"
FIGURES = 5  # of a search by pairs and without limits
# The page moves until its last figure is there.
ALL_DRAWN = """count => {
    const drawn = document.querySelectorAll('[id^="user-defined-plot:"] .main-svg .gtitle');
    return drawn.length >= count;
}"""
# The order of the figures differs from visit to visit.
SCROLL_TO_FIRST = """() => {
    const top = figure => figure.getBoundingClientRect().top;
    const figures = [...document.querySelectorAll('[id^="user-defined-plot:"]')];
    figures.sort((a, b) => top(a) - top(b))[0].scrollIntoView();
}"""


def draw_parts(browser: Browser, folder: Path) -> None:
    """Draw the diagram of ARCHITECTURE.md as an SVG file."""
    archive = subprocess.run(
        ["npm", "pack", "--silent", MERMAID], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    with tarfile.open(folder / archive) as package:
        script = package.extractfile(LOADED)
        assert script is not None
        mermaid = script.read().decode()
    source = diagram_in((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    page = browser.new_page()
    page.add_script_tag(content=mermaid)
    drawn = page.evaluate(
        """async source => {
            const plain = {htmlLabels: false, flowchart: {htmlLabels: false}};
            mermaid.initialize({startOnLoad: false, theme: "neutral", ...plain});
            return (await mermaid.render("parts", source)).svg;
        }""",
        source,
    )
    DIAGRAM.write_text(marked(drawn, source), encoding="utf-8")


def show_dashboard(browser: Browser, folder: Path) -> None:
    """Take a screenshot of the figures of a study in optuna-dashboard."""
    with subprocess.Popen(
        [PROGRAM, "dashboard", "--port", "0"], cwd=folder, stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().decode().strip()
            page = browser.new_page(viewport={"width": 1280, "height": 1056})
            page.set_default_timeout(PATIENCE)
            page.goto(address)
            page.wait_for_function(ALL_DRAWN, arg=FIGURES)
            page.evaluate(SCROLL_TO_FIRST)
            page.mouse.wheel(0, -90)  # out from under the header
            page.wait_for_timeout(2000)  # Plotly's transitions
            page.screenshot(path=ROOT / "studies" / "dashboard.png")
        finally:
            server.terminate()


def main() -> None:
    """Make all figures."""
    program = next(path for name in BROWSERS if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        searched = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if len(sys.argv) == 1:
            subprocess.run([PROGRAM, "search"], cwd=searched, check=True)
        shutil.copy(
            searched / "relativenas-out/relativenas/best.png", ROOT / "studies" / "digits.png"
        )
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        show_dashboard(browser, searched)
        draw_parts(browser, Path(temporary))
        browser.close()


if __name__ == "__main__":
    main()
