"""The navigation of the site lists every page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
# Python's YAML knows no tag for environment variables.
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8").replace("!ENV ", ""))
# hooks.py makes these pages or takes them from other folders.
ELSEWHERE = ("index.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
GENERATED = ("reference/api/", "reference/cli.md", "reference/settings.md", "examples.md")


def paths_in(entry: Any) -> Iterator[str]:
    """Return the paths of the pages in a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from paths_in(inner)


def test_the_navigation_lists_every_page_once() -> None:
    listed = [p for p in paths_in(CONFIG["nav"]) if not p.startswith(GENERATED)]
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in ROOT.glob("docs/**/*.md")}
    studies = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("studies/**/*.md")}
    assert sorted(listed) == sorted({*pages, *studies, *ELSEWHERE})


def test_the_site_loads_nothing_from_other_hosts() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not any("extra_javascript" in key for key in CONFIG)
