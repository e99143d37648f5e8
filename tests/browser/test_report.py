"""A browser without a network looks at the page of a short search, on a desk and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.test_dashboard import NARROW, SCREENSHOTS, WIDE, browser, page
from tests.helpers.command import call

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

# Figures follow a window that gets narrower a moment later.
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def look(tab: Page, figures: int) -> None:
    """Check that everything is drawn, and that nothing is wider than the page."""
    plots = tab.locator(".plot")
    assert plots.count() == figures
    for number in range(figures):
        drawn = plots.nth(number).locator(".main-svg").first
        drawn.wait_for()
        box = drawn.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 200
    # Not `wait_for_function`, whose later looks the page's own policy forbids.
    for _ in range(100):
        if tab.evaluate(FITS):
            return
        tab.wait_for_timeout(100)
    raise AssertionError("the figures do not fit the window after ten seconds")


@pytest.mark.slow
@pytest.mark.parametrize("light", ["light", "dark"])
def test_the_page_is_whole_without_a_network(
    finished: Path, capfd: pytest.CaptureFixture[str], light: Literal["light", "dark"]
) -> None:
    program = browser()
    file = finished / "report.html"
    assert call(capfd, "report", "mine", "--out", file).status == 0
    SCREENSHOTS.mkdir(exist_ok=True)
    with page(program) as tab:
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.emulate_media(color_scheme=light)
        tab.goto(file.as_uri())
        look(tab, 5)
        drawings = tab.locator(".drawing img")
        assert drawings.count() >= 2
        width = drawings.first.evaluate("i => i.decode().then(() => i.naturalWidth)")
        assert width > 300
        tab.screenshot(path=SCREENSHOTS / f"report-{light}.png", full_page=True)
        tab.set_viewport_size(NARROW)
        look(tab, 5)
        tab.screenshot(path=SCREENSHOTS / f"report-narrow-{light}.png", full_page=True)
        tab.set_viewport_size(WIDE)
        ink = tab.evaluate("getComputedStyle(document.body).color")
        axis = tab.locator(".plot .xtitle").first.evaluate("t => getComputedStyle(t).fill")
        assert axis == ink  # the figures are in the page's colours
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        assert said == []
